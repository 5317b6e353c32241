"""Runs a real OpenID provider (npm's oidc-provider) as a process. `make provider` installs it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.company.issuer import CLIENT, SECRET
from tests.harness.children import Children
from tests.harness.ports import answers, free_port
from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / ".provider/node_modules/oidc-provider/lib/index.js"
PEOPLE = {
    "li": {"preferred_username": "li.ming", "name": "李明", "groups": ["ibs-bj"], "email": "li@example.com"},
    "wang": {"preferred_username": "wang.min", "name": "王敏", "groups": ["lunch"]},
}
needs_provider = pytest.mark.skipif(
    not os.environ.get("DESK_PROVIDER") and not (shutil.which("node") and MODULE.exists()),
    reason="the real provider needs node, and `make provider`; .ci/run has both",
)


class RealProvider:
    """The provider's process. It keeps its address when it is started again."""

    def __init__(self, children: Children, site: str):
        self.children, self.site, self.port = children, site, free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, secret: str = SECRET) -> None:
        given = {"PORT": str(self.port), "SITE": self.site, "CLIENT": CLIENT, "SECRET": secret}
        given |= {"PEOPLE": json.dumps(PEOPLE), "PROVIDER_MODULE": str(MODULE)}
        self.children.start_program("provider", ["node", "tests/company/provider/server.mjs"], **given)
        until(lambda: answers(f"{self.url}/.well-known/openid-configuration"), what="the provider answers")

    def kill(self) -> None:
        self.children.kill("provider")
