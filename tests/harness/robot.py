"""A server in place of a chat group's robot or of another system. It stores the received calls."""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

FINE = {"errcode": 0, "errmsg": "ok", "code": 0}


@dataclass
class Call:
    path: str
    query: dict[str, str]
    body: dict
    type: str


class RobotServer:
    """`with RobotServer() as server:` listens at `server.url`.

    All responses have `status` and `answer`, and are sent after `hangs` seconds. If `status` is a redirect, it leads
    to `/elsewhere`.
    """

    def __init__(self):
        self.calls: list[Call] = []
        self.status, self.answer, self.hangs = 200, FINE, 0.0

    def __enter__(self) -> "RobotServer":
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802  the standard library's name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                owner.calls.append(Call(parts.path, query, body, self.headers["Content-Type"]))
                time.sleep(owner.hangs)
                data = json.dumps(owner.answer).encode()
                self.send_response(owner.status)
                if 300 <= owner.status < 400:
                    self.send_header("Location", f"{owner.url}/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *exc) -> None:
        self.server.shutdown()
        self.server.server_close()
