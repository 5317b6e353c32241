"""`manage.py send_order FILE`: signs a content file, posts it and prints the reply (contract 5)."""

import requests
from django.core.management.base import BaseCommand, CommandError

from integrations.bboss.codes import Code
from integrations.bboss.content_file import add_arguments, envelope_of
from integrations.wire import encode

TIMEOUT_SECONDS = 10


class Command(BaseCommand):
    help = "Signs a content file, posts it and prints the reply."
    requires_system_checks = []

    def add_arguments(self, parser):
        add_arguments(parser)
        parser.add_argument(
            "--url", default="http://127.0.0.1:8000/api/bboss/orders", help="where to post it (%(default)s)"
        )

    def handle(self, **options):
        response = _post(options["url"], encode(envelope_of(options)).encode())
        self.stdout.write(response.text)
        code = _answer_code(response)
        if code != Code.SUCCESS.value.number:
            raise CommandError(f"not accepted: HTTP {response.status_code}, rspCode {code}")


def _post(url: str, body: bytes) -> requests.Response:
    try:
        return requests.post(
            url, data=body, headers={"Content-Type": "application/json; charset=utf-8"}, timeout=TIMEOUT_SECONDS
        )
    except requests.RequestException as error:
        raise CommandError(f"{url}: no answer ({type(error).__name__})") from error


def _answer_code(response: requests.Response) -> str:
    try:
        return str(response.json()["response"]["rspCode"])
    except (requests.JSONDecodeError, KeyError, TypeError):
        raise CommandError(f"HTTP {response.status_code}, and the answer is not an envelope") from None
