"""The sandbox's HTTP server, with threads and persistent connections. It passes requests to `Partners`."""

import os
import socket
import socketserver
import sqlite3
import ssl
import struct
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from integrations.sandbox.control import control
from integrations.sandbox.http_messages import SandboxResponse, json_response
from integrations.sandbox.partners import ROUTES, Partners

LARGEST_BODY = 32 * 1024 * 1024
RST_ON_CLOSE = struct.pack("ii", 1, 0)
REASONS = {status.value: status.phrase for status in HTTPStatus}


class SandboxServer(ThreadingHTTPServer):
    """Listens at host and port (0 means any free port) and serves `partners`. With `tls` it serves https."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, host: str, port: int, partners: Partners, tls: ssl.SSLContext | None = None) -> None:
        self.partners, self.tls = partners, tls
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Binds without a DNS query for this machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def get_request(self) -> tuple[socket.socket, object]:
        """Accepts a connection. The handshake happens at the first read, in the connection's own thread."""
        connection, address = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Prints errors in our code. Ignores broken connections and handshakes, and a store that was closed
        meanwhile."""
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError, sqlite3.ProgrammingError)):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.server_name}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Handles a connection. Reads requests, passes them to the partners or the control endpoints, and writes
    responses."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: SandboxServer

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        answer = self.server.partners.receive(path, self.headers, body)
        self._send(answer or control(self.server.partners, self.command, path, query, body))

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if self.server.partners.dialect.path_of(path) in ROUTES:
            self._send(json_response({"code": 405, "message": "只接受 POST"}, status=405, Allow="POST"))
        else:
            self._send(control(self.server.partners, self.command, path, query, b""))

    do_DELETE = do_GET

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            return self._refuse(411, "Content-Length: missing or not a number")
        if int(length) > LARGEST_BODY:
            return self._refuse(413, f"body: larger than {LARGEST_BODY} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _refuse(self, status: int, message: str) -> None:
        """Responds without reading the body, so the connection can't be used again."""
        self.close_connection = True
        self._send(json_response({"code": status, "message": message}, status=status, Connection="close"))

    def _send(self, answer: SandboxResponse) -> None:
        if answer.manner == "reset":
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
            os.close(self.connection.detach())  # detached, because the server would send FIN before RST
            return
        raw = _http_bytes(answer)
        if answer.manner == "drip":  # so slow that only a total time-out ends the response
            for place in range(len(raw)):
                self.wfile.write(raw[place : place + 1])
                time.sleep(answer.seconds / len(raw))
        else:
            self.wfile.write(raw)

    def log_message(self, *args: object) -> None:
        """Logs nothing: calls are stored in the state."""


def _http_bytes(answer: SandboxResponse) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body
