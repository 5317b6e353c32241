"""`own ORDER (--to USER | --nobody) [--by NAME] [--reason TEXT]`, `own --incident ID ...`, `own --difference ID ...`:
sets the owner (contract section 5).
"""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.history.actors import name_of
from orders.history.order_locks_and_events import find_order
from orders.management.arguments import actor, add_by
from orders.people.ownership import set_owner
from orders.texts.errors import OrderError
from orders.texts.secrets_in_text import without_named_secrets


class Command(BaseCommand):
    help = "Gives an order, an incident or a difference to a person, who is told by mail, or to nobody."

    def add_arguments(self, parser):
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("order", nargs="?", help="the order's number")
        what.add_argument("--incident", type=int, metavar="ID", help="an incident, by the number in its page's address")
        what.add_argument("--difference", type=int, metavar="ID", help="a difference, likewise")
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--to", metavar="USER", help="the user name of an account")
        whom.add_argument("--nobody", action="store_true", help="it is handed back")
        parser.add_argument(
            "--reason", type=without_named_secrets, default="", help="why; kept in the history, and told by mail"
        )
        add_by(parser)

    def handle(self, *args, order, to, by, reason, **options):
        try:
            kind, pk, name = self._what(order, options)
            person = get_user_model().objects.filter(username=to).first() if to else None
            if to and person is None:
                raise CommandError(f"no account is called {to}")
            done = set_owner(kind=kind, pk=pk, to=person, by=actor(by), now=timezone.now(), reason=reason)
        except OrderError as error:
            raise CommandError(str(error)) from error
        whose = f"with {name_of(person.username, person.pk)}" if person else "nobody's"
        self.stdout.write(f"{name}: {whose} {'now' if done else 'already'}, by {actor(by)}")

    def _what(self, order: str | None, options: dict) -> tuple[str, int, str]:
        if order is not None:
            return "order", find_order(order).pk, order
        kind = "incident" if options["incident"] is not None else "difference"
        return kind, options[kind], f"{kind} {options[kind]}"
