"""`audit [--since DATE] [--until DATE] [--user NAME] [--order ORDER] [--json]`: the audit trail (contract 5)."""

import datetime
import json

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.management.arguments import day
from orders.models import Order
from orders.rules.local_time import midnight
from project.base.logs import one_line
from project.trail.trail_query import Act, TrailFilter, acts_oldest_first

DAY = datetime.timedelta(days=1)


class Command(BaseCommand):
    help = "Prints who did what, the oldest first: log-ins, accounts, roles, tokens, settings, exports, decisions."

    def add_arguments(self, parser):
        parser.add_argument("--since", type=day, metavar="DATE", help="from this day on (YYYY-MM-DD)")
        parser.add_argument("--until", type=day, metavar="DATE", help="until the end of this day")
        parser.add_argument("--user", default="", metavar="NAME", help="of an account, or who gave a command")
        parser.add_argument("--order", metavar="ORDER", help="about one order, by its whole number")
        parser.add_argument("--json", action="store_true", help="a list of objects, for programs")

    def handle(self, *args, since, until, user, order, **options):
        if since and until and since > until:
            raise CommandError(f"--since {since} comes after --until {until}")
        found = Order.objects.filter(number=order).first() if order else None
        if order and found is None:
            raise CommandError(f"no order {order}")
        first, end = since and midnight(since), until and _end_of(until)
        acts = acts_oldest_first(TrailFilter(since=first, until=end, user=user.strip(), order=found))
        if options["json"]:
            self.write_json(acts)
            return
        for act in acts:
            self.stdout.write(format_act(act))

    def write_json(self, acts) -> None:
        """Writes an object per line while rows are read, so that the trail of a year is never completely in memory."""
        self.stdout.write("[", ending="")
        for number, act in enumerate(acts):
            text = json.dumps(act.as_json(), ensure_ascii=False)
            self.stdout.write(f"{',' if number else ''}\n{text}", ending="")
        self.stdout.write("\n]")


def _end_of(until: datetime.date) -> datetime.datetime:
    try:
        return midnight(until + DAY)
    except OverflowError as error:
        raise CommandError(f"--until {until} is no day that has an end") from error


def format_act(act: Act) -> str:
    """Returns an act as one line. Text is escaped, so that free text can't forge another line."""
    parts = (act.who, act.address, act.what, act.about, act.details)
    return one_line("  ".join([f"{timezone.localtime(act.at):%Y-%m-%d %H:%M:%S}", *(part or "-" for part in parts)]))
