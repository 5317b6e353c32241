"""Django's SMTP backend over connections that the caller opens, so that the caller can end them at a deadline.

Socket time-outs count from read to read. A mail server that sends byte after byte could hold a mail longer than its
lease (contract 3.9, Leases). Another worker would then send it a second time.
"""

import smtplib
import socket
from collections.abc import Callable
from functools import partial

from django.core.mail.backends.smtp import EmailBackend

Connect = Callable[[str, int], socket.socket]


class WatchedBackend(EmailBackend):
    """Opens every connection with `connect(host, port)`. All other options are those of the settings."""

    def __init__(self, *args, connect: Connect, **kwargs):
        super().__init__(*args, **kwargs)
        self._connect = connect

    @property
    def connection_class(self):
        return partial(_TLSClient if self.use_ssl else _Client, connect=self._connect)


class _Watched:
    def __init__(self, *args, connect: Connect, **kwargs):
        self._connect = connect
        super().__init__(*args, **kwargs)  # connects


class _Client(_Watched, smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        return self._connect(host, port)


class _TLSClient(_Watched, smtplib.SMTP_SSL):
    def _get_socket(self, host, port, timeout):
        return self.context.wrap_socket(self._connect(host, port), server_hostname=self._host)
