"""Validates the files of PARTNER_CA_BUNDLE and PARTNER_CLIENT_CERT (contract section 4)."""

import datetime
import ssl
from pathlib import Path

from cryptography import x509


def bundle_problem(file: str) -> str:
    """Returns an error text if no CA can be read from the file. Otherwise returns an empty text."""
    return _problem(lambda context: context.load_verify_locations(cafile=file), "no PEM file of certificates")


def client_problem(certificate: str, key: str) -> str:
    """Returns an error text if the files are no client certificate and key. Otherwise returns an empty text."""
    wrong = "no PEM certificate with its key, without a password"
    # The password is empty. Without a password OpenSSL would prompt for one at the terminal.
    return _problem(lambda context: context.load_cert_chain(certificate, key, password=lambda: ""), wrong)


def _problem(load, wrong: str) -> str:
    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except ssl.SSLError as error:
        return f"{wrong} ({error.reason or 'not readable as such'})"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def certificate_expiry(file: str) -> datetime.datetime:
    """Returns the expiry of the first certificate in a PEM file. If it can't be read, raises ValueError or OSError."""
    try:
        return x509.load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc
    except x509.InvalidVersion as error:
        raise ValueError(f"{file} begins with no certificate of version 1 or 3") from error
