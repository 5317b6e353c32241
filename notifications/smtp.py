"""Django's SMTP backend over connections that the caller opens, so that the caller can end them at a deadline.

Socket time-outs apply to each read. So a mail server that sends byte by byte could delay a mail beyond its lease
(contract 3.9, Leases). Then another worker would send the mail again.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable
from functools import cached_property, partial

from django.core.mail.backends.smtp import EmailBackend

Connect = Callable[[str, int], socket.socket]


class WatchedBackend(EmailBackend):
    """Django's SMTP backend that opens connections with `connect(host, port)` and wraps them in the class `tls`."""

    def __init__(self, *args, connect: Connect, tls: type[ssl.SSLSocket], **kwargs):
        super().__init__(*args, **kwargs)
        self._connect, self._tls = connect, tls

    @cached_property
    def ssl_context(self):
        context = super().ssl_context
        context.sslsocket_class = self._tls
        return context

    @property
    def connection_class(self):
        return partial(_TLSClient if self.use_ssl else _Client, connect=self._connect)


class _Watched:
    """An SMTP client with a connection opened by the caller."""

    def __init__(self, *args, connect: Connect, **kwargs):
        self._connect = connect
        super().__init__(*args, **kwargs)  # connects

    def connect(self, host="localhost", port=0, source_address=None):
        self.sock, self.file = self.opened(host, port), None
        return self.getreply()

    def opened(self, host: str, port: int) -> socket.socket:
        return self._connect(host, port)


class _Client(_Watched, smtplib.SMTP):
    pass


class _TLSClient(_Watched, smtplib.SMTP_SSL):
    def opened(self, host, port):
        return self.context.wrap_socket(super().opened(host, port), server_hostname=host)
