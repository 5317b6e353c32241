"""Examines the files of PARTNER_CA_BUNDLE and PARTNER_CLIENT_CERT (contract section 4)."""

import datetime
import ssl
from pathlib import Path

UTC_TIME, VERSION = 0x17, 0xA0  # DER tags
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def bundle_problem(file: str) -> str:
    """Why no CA can be read from the file. Empty if all is well."""
    return _problem(lambda context: context.load_verify_locations(cafile=file), "no PEM file of certificates")


def client_problem(certificate: str, key: str) -> str:
    """Why they can't be used as a client's certificate and key. Empty if all is well."""
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
    """When the first certificate of a PEM file ends. Raises ValueError or OSError if it can't be read."""
    text = Path(file).read_text(encoding="ascii", errors="replace")
    begin = text.index(BEGIN)
    der = ssl.PEM_cert_to_DER_cert(text[begin : text.index(END, begin) + len(END)])
    try:
        certificate = _parts(_parts(der)[0][1])[0][1]  # RFC 5280, 4.1: the signed part
        fields = [part for part in _parts(certificate) if part[0] != VERSION]
        tag, ends = _parts(fields[3][1])[1]  # the second of the two times after serial number, algorithm, issuer
        form = "%y%m%d%H%M%SZ" if tag == UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.datetime.strptime(ends.decode("ascii"), form).replace(tzinfo=datetime.UTC)
    except IndexError:
        raise ValueError(f"{file} begins with no certificate") from None


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """(tag, content) of each DER value in a sequence."""
    found, place = [], 0
    while place < len(der):
        tag, length, place = der[place], der[place + 1], place + 2
        if length > 0x7F:
            size = length & 0x7F
            length, place = int.from_bytes(der[place : place + size]), place + size
        found.append((tag, der[place : place + length]))
        place += length
    return found
