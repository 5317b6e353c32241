"""An OpenID provider that answers wrongly on demand. tests/company/test_real_provider.py uses a real one."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote_plus, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "ibs desk", "s3cret/with=signs"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key, number: str, **more) -> dict:
    return json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": number, "use": "sig"} | more


class Issuer:
    """Runs a provider: `with Issuer() as issuer:`. Its address is `issuer.url`, and its attributes set what it
    answers.
    """

    def __enter__(self):
        self.key, self.number, self.algorithm = KEY, "k1", "RS256"
        self.keys = [public(KEY, "k1")]
        self.description: dict = {}
        self.codes: dict[str, tuple[dict, dict]] = {}
        self.token = None  # sent in place of a signed token
        self.userinfo: dict = {"sub": "u-1"}
        self.status = 200
        self.hangs = False
        self.asked: list[str] = []
        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"issuer": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def code_for(self, asked: dict, **claims) -> str:
        """Returns a code for the request of a browser. `claims` replace those of a valid token, and None leaves a
        claim out.
        """
        now = int(time.time())
        usual = {"iss": self.url, "aud": CLIENT, "sub": "u-1", "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        usual |= {"preferred_username": "li.ming", "name": "李明", "groups": ["ibs-bj"]}
        code = f"code-{len(self.codes)}"
        self.codes[code] = (asked, {name: value for name, value in (usual | claims).items() if value is not None})
        return code

    def answer(self, path: str, body: bytes, headers) -> tuple[int, dict]:
        self.asked.append(path)
        if self.hangs:
            self.released.wait(30)
        if self.status != 200:
            return self.status, {}
        if path.endswith("/openid-configuration"):
            paths = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
            paths |= {"userinfo_endpoint": "me", "end_session_endpoint": "end"}
            return 200, {"issuer": self.url} | {
                name: f"{self.url}/{end}" for name, end in paths.items()
            } | self.description
        if path == "/keys":
            return 200, {"keys": self.keys}
        if path == "/me":
            assert headers["Authorization"] == "Bearer opaque-token"
            return 200, self.userinfo
        return self._token(parse_qs(body.decode()), headers)

    def _token(self, form: dict, headers) -> tuple[int, dict]:
        pair = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode().split(":")
        asked, claims = self.codes.pop(form["code"][0], (None, None))
        if asked is None or [unquote_plus(part) for part in pair] != [CLIENT, SECRET]:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        assert form["redirect_uri"][0] == asked["redirect_uri"]
        token = self.token or jwt.encode(claims, self.key, self.algorithm, headers={"kid": self.number})
        return 200, {"access_token": "opaque-token", "token_type": "Bearer", "id_token": token}


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.issuer.answer(urlsplit(self.path).path, body, self.headers)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *_said):
        pass
