"""Private certificate authorities (CAs), certificates of a partner and of ours, and a partner that demands a
certificate."""

import datetime
import ssl
from pathlib import Path

import trustme

from tests.fakes import RunningSandbox

PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """A private certificate authority (CA). Its files are in `folder`. Each certificate is one PEM file, which begins
    with the certificate's key."""

    def __init__(self, folder: Path, name: str = "ca"):
        self.folder, self.name = folder, name
        self.ca = trustme.CA()
        self.bundle = str(folder / f"{name}.pem")
        self.ca.cert_pem.write_to_path(self.bundle)

    def issue(self, *names: str, until: datetime.datetime | None = None) -> str:
        """Issues a certificate for these host names and returns the path of its file."""
        issued = self.ca.issue_cert(*names, not_after=until)
        path = self.folder / f"{self.name}-{names[0]}{'-expired' if until else ''}.pem"
        path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        return str(path)

    def partner(self, certificate: str, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> RunningSandbox:
        """Returns the partners' sandbox over TLS. Callers need a certificate of this CA."""
        context = served_with(certificate)
        context.load_verify_locations(cafile=self.bundle)
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = version
        return RunningSandbox(tls=context)


def served_with(certificate: str) -> ssl.SSLContext:
    """Returns the TLS context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def halves(pem: str) -> str:
    """Splits a PEM file of a key and a certificate into two files, and returns their paths as `cert.pem,key.pem`."""
    text = Path(pem).read_text()
    end = text.index("-----BEGIN CERTIFICATE-----")
    certificate, key = Path(f"{pem}.cert"), Path(f"{pem}.key")
    key.write_text(text[:end])
    certificate.write_text(text[end:])
    return f"{certificate},{key}"
