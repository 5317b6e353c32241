"""Examines the files of PARTNER_CA_BUNDLE and PARTNER_CLIENT_CERT (contract section 4)."""

import datetime
import ssl
from pathlib import Path

from cryptography import x509


def bundle_problem(file: str) -> str:
    """Returns the reason why no CA can be read from the file. Empty if all is well."""
    return _problem(lambda context: context.load_verify_locations(cafile=file), "no PEM file of certificates")


def client_problem(certificate: str, key: str) -> str:
    """Returns the reason why the files can't be used as a client's certificate and key. Empty if all is well."""
    wrong = "no PEM certificate with its key, without a password"
    # An empty password: without one OpenSSL would ask at the terminal.
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
    """Returns the end of the first certificate of a PEM file. Raises ValueError or OSError if it can't be read."""
    try:
        return x509.load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc
    except x509.InvalidVersion as error:
        raise ValueError(f"{file} begins with no certificate of version 1 or 3") from error
