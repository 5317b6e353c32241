"""`erase (--order ORDER | --phone PHONE | --mail MAIL) --reason TEXT [--dry-run]`: erases the personal data of lines
that are over (contract 3.14)."""

import sys

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from orders.actions.all_actions import DECISIONS
from orders.actions.run_action import needs_second
from orders.erasing.erase_line import Erased, erase_line
from orders.erasing.find_person import erase_unknown_orders, numbers_with
from orders.erasing.over_lines import line_of
from orders.history.order_locks_and_events import find_order
from orders.management.arguments import actor, add_by
from orders.management.order_command import ASKED, add_emergency, asked_by_command, note_emergency, say_asked
from orders.texts.errors import OrderError
from orders.texts.secrets_in_text import without_named_secrets

ERASE = DECISIONS["erase"]


class Command(BaseCommand):
    """Exits with 1 if no order is found or a line is left, and with 3 if a second person was asked."""

    help = "Erases the personal data of whole lines whose every order is over. It can't be undone."

    def add_arguments(self, parser):
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--order", help="the number of an order of the line")
        whose.add_argument("--phone", help="the operator's phone: all lines with an order of it")
        whose.add_argument("--mail", help="the operator's mail: all lines with an order of it")
        parser.add_argument("--reason", type=without_named_secrets, required=True, help="why; kept in the history")
        parser.add_argument("--dry-run", action="store_true", help="says what would be erased, and changes nothing")
        add_emergency(parser)
        add_by(parser)

    def handle(self, *args, order, phone, mail, reason, by, dry_run=False, emergency=False, **options):
        if not reason.strip():
            raise CommandError("a reason is needed")
        try:
            numbers = [find_order(order).number] if order else numbers_with(phone=phone or "", mail=mail or "")
        except OrderError as error:
            raise CommandError(str(error)) from error
        asks, left = needs_second(ERASE) and not (emergency or dry_run), []
        self.seen: set[str] = set()
        for number in numbers:
            if number in self.seen:
                continue
            self.seen.update(line_of(find_order(number)).values_list("number", flat=True))
            try:
                if asks:
                    row = asked_by_command(ERASE, number, by=by, reason=reason, now=timezone.now(), more={})
                    say_asked(self, number, row)
                else:
                    self.say(number, self.erase(number, reason=reason, by=actor(by), dry_run=dry_run))
            except (OrderError, CommandError) as error:
                left.append(f"{number}: {error}")
        others = 0 if order or asks else erase_unknown_orders(phone or "", mail or "", dry_run=dry_run)
        if others:
            self.stdout.write(f"messages about no order of ours: {others}")
        if dry_run:
            self.stdout.write("dry run: nothing was changed")
        if left or not (numbers or others):
            raise CommandError("\n".join(left) or "no order and no message has this phone or mail")
        if asks:
            sys.exit(ASKED)

    def erase(self, number: str, *, reason: str, by: str, dry_run: bool) -> Erased:
        now = timezone.now()
        with transaction.atomic():
            found = erase_line(number=number, reason=reason, by=by, now=now)
            if needs_second(ERASE) and not dry_run:
                note_emergency(ERASE, find_order(number), subject=number, by=by, reason=found.reason, now=now)
            if dry_run:
                transaction.set_rollback(True)
        return found

    def say(self, number: str, found: Erased) -> None:
        changed = ", ".join(f"{name} {count}" for name, count in sorted(found.changed.items()))
        self.stdout.write(f"{number}: {', '.join(found.numbers)}: erased in {changed}")
