"""`prune --older-than DAYS [--refused-older-than DAYS] [--by NAME]`: removes old messages and attempts (contract 5)."""

import datetime

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.models import BpmCallback
from orders.history.pruning import LEAST_DAYS, REFUSED_DAYS, prune
from orders.management.arguments import actor, add_by
from orders.management.progress import Progress

LONGEST_DAYS = 36_500


class Command(BaseCommand):
    help = (
        "Removes inbound messages, and attempts of finished orders, that are older; never orders, events or approvals."
    )

    def add_arguments(self, parser):
        parser.add_argument("--older-than", type=int, required=True, metavar="DAYS", help=f"at least {LEAST_DAYS}")
        parser.add_argument(
            "--refused-older-than",
            type=int,
            default=REFUSED_DAYS,
            metavar="DAYS",
            help=f"for messages without a right token and signature: at least 1; {REFUSED_DAYS} unless given",
        )
        add_by(parser)

    def handle(self, *args, older_than, refused_older_than, by, **options):
        for name, days, least in (
            ("--older-than", older_than, LEAST_DAYS),
            ("--refused-older-than", refused_older_than, 1),
        ):
            if not least <= days <= LONGEST_DAYS:
                raise CommandError(f"{name} must be between {least} and {LONGEST_DAYS} days, not {days}")
        now = timezone.now()
        with Progress(self.stderr, "rows removed") as bar:
            pruned = prune(
                before=now - datetime.timedelta(days=older_than),
                refused_before=now - datetime.timedelta(days=refused_older_than),
                by=actor(by),
                now=now,
                callbacks=BpmCallback,
                on_progress=lambda done: bar.reach(done.messages + done.attempts),
            )
        rows = f"{pruned.messages} inbound messages and {pruned.attempts} attempts"
        self.stdout.write(f"removed {rows}, and {pruned.trail} rows of the trail")
