"""`manage.py send_order FILE`: signs a content file, posts it and prints the reply (contract 5)."""

from urllib.parse import urljoin

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.bboss.reply_codes import Code
from integrations.bboss.sample_envelope import add_arguments, message_of

TIMEOUT_SECONDS = 10
PATH = "/api/bboss/orders"


class Command(BaseCommand):
    help = "Signs a content file, posts it and prints the reply."
    requires_system_checks = []

    def add_arguments(self, parser):
        add_arguments(parser)
        here = f"{settings.SITE_URL or 'http://127.0.0.1:8000'}{PATH}"
        parser.add_argument("--url", default=here, help="where to post it (%(default)s)")

    def handle(self, **options):
        response = _post(options["url"], *message_of(options))
        self.stdout.write(response.text)
        code = _answer_code(response)
        if code != Code.SUCCESS.value.number:
            raise CommandError(f"not accepted: HTTP {response.status_code}, rspCode {code}")


def _post(url: str, body: bytes, kind: str) -> requests.Response:
    """Posts the body and returns the response. Raises CommandError. Follows no redirect, because a signed message must
    neither be sent to another address nor become a GET."""
    headers = {"Content-Type": kind}
    try:
        response = requests.post(url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise CommandError(f"{url}: no answer ({type(error).__name__})") from error
    if response.is_redirect:
        there = urljoin(url, response.headers["Location"])
        raise CommandError(f"{url} leads elsewhere (HTTP {response.status_code}), nothing was taken; use --url {there}")
    return response


def _answer_code(response: requests.Response) -> str:
    try:
        return str(response.json()["response"]["rspCode"])
    except (requests.JSONDecodeError, KeyError, TypeError):
        raise CommandError(f"HTTP {response.status_code}, and the answer is not an envelope") from None
