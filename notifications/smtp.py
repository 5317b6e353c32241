"""Django's SMTP backend over connections that the caller opens, so that the caller can end them at a deadline.

Time-outs of sockets count from read to read: a mail server that drips bytes would hold a mail longer than its lease
(contract 3.9, Leases), and another worker would send it a second time meanwhile.
"""

import smtplib
import socket
from collections.abc import Callable
from functools import partial

from django.core.mail.backends.smtp import EmailBackend

Connect = Callable[[str, int], socket.socket]


class WatchedBackend(EmailBackend):
    """`connect(host, port)` opens every connection; all else is as the settings say."""

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
