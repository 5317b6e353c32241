"""Base classes of commands that act on orders, mainly of those that carry out an action on one order."""

import argparse
import datetime
import socket
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from orders.actions.action import Action
from orders.actions.all_actions import DECISIONS
from orders.actions.run_action import account_named, ask_second, needs_second, why_not_ask
from orders.books.books import BooksSilentError, Look, RecordFileError, client
from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import find_order, lock_order
from orders.management.arguments import actor, add_by, check_file, os_user
from orders.models import AskedAct, Order
from orders.people.asked_acts import address, carried_out_in_emergency
from orders.reconciliation.asking import why_silent
from orders.texts.errors import OrderError
from orders.texts.secrets_in_text import without_named_secrets

ASKED = 3  # exit code if the command only requested an approval


class OrderCommand(BaseCommand):
    """Takes the order, a reason and the operator's name as arguments, and calls the action's service.

    If the service refuses, prints a one-line error. `act`: the key of the action in `orders.actions.all_actions`. If
    the action is listed in FOUR_EYES, the command requests an approval and exits with 3; `--emergency` executes it at
    once. `OPTIONS`: additional arguments passed on to the service. With `has_preview` the command prints the expected
    effects (the action's `preview_effects`) and accepts `--dry-run`, which calls the service and rolls back. The
    service of such a command must not call a partner.
    """

    act: str
    has_preview = False
    OPTIONS: tuple[str, ...] = ()
    done = ""

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        self.add_more(parser)
        parser.add_argument(
            "--reason", type=without_named_secrets, required=True, help="why; kept in the order's history"
        )
        if self.has_preview:
            parser.add_argument("--dry-run", action="store_true", help="says what will follow, and changes nothing")
        if DECISIONS[self.act].four_eyes:
            parser.add_argument(
                "--emergency",
                action="store_true",
                help="at once, without a second person: opens an incident, mails them",
            )
        add_by(parser)

    def add_more(self, parser) -> None:
        """Adds the arguments of this command only."""

    def handle(self, *args, order, reason, by, dry_run=False, emergency=False, **options):
        if not reason.strip():
            raise CommandError("a reason is needed")
        now, follows, more = timezone.now(), [], {name: options[name] for name in self.OPTIONS}
        decision = self.decision(order, options)
        second, preview_effects = needs_second(decision), decision.preview_effects if self.has_preview else None
        if second and not emergency and not dry_run:
            self.check_question(order, options)
            ask_by_command(self, decision, order, by=by, reason=reason, now=now, more=more)
        try:
            known = Order.objects.filter(number=order).select_related("trial").first() if second else None
            if known and decision.ask_partner:  # outside the transaction, which also records the emergency
                more["held"] = decision.ask_partner(known, by=actor(by), **more)
            with transaction.atomic() if preview_effects or second else nullcontext():
                if preview_effects:  # under the lock, so that the preview matches the action
                    follows = [row.english() for row in preview_effects(lock_order(order), now=now, **more)]
                found = self.carry_out(decision, number=order, reason=reason.strip(), by=actor(by), now=now, **more)
                if second:
                    note_emergency(decision, known, subject=order, by=actor(by), reason=reason, now=now)
                if dry_run:
                    transaction.set_rollback(True)
        except BooksSilentError as error:
            raise CommandError(str(why_silent(error))) from error
        except OrderError as error:
            raise CommandError(str(error)) from error
        for line in follows:
            self.stdout.write(f"{order}: {line}")
        done = f"{order}: {self.outcome(options)} by {actor(by)}"
        self.stdout.write("dry run: nothing was changed" if dry_run else f"{done}{state_suffix(found)}")

    def check_question(self, number: str, options: dict) -> None:
        """Raises CommandError if the command would refuse the action that a second person is asked to approve."""

    def carry_out(self, decision: Action, **about: object) -> Order | None:
        return decision.service(**about)

    def read_look(self, number: str, file: Path | None, as_of: datetime.datetime | None) -> str:
        """Returns the records in `--file` about the order and its trial as a text for services; empty without it.

        Raises CommandError.
        """
        check_file(file, as_of)
        if file is None or as_of is None:
            return ""
        trial = Order.objects.filter(number=number).values_list("trial__number", flat=True).first()
        try:
            rows = client.read_file(file, {number, trial})
        except RecordFileError as error:
            raise CommandError(str(error)) from error
        return Look(rows=rows, as_of=as_of).text

    def decision(self, number: str, options: dict) -> Action:
        return DECISIONS[self.act]

    def outcome(self, options: dict) -> str:
        return self.done % options


def add_emergency(parser: argparse.ArgumentParser) -> None:
    words = "carries out at once what FOUR_EYES would ask a second person; opens an incident and mails them"
    parser.add_argument("--emergency", action="store_true", help=words)


def ask_by_command(
    command: BaseCommand,
    decision: Action,
    number: str,
    *,
    by: str | None,
    reason: str,
    now: datetime.datetime,
    more: dict,
) -> NoReturn:
    """Requests an approval, prints its address and exits with 3. Raises CommandError if no request was stored."""
    say_asked(command, number, asked_by_command(decision, number, by=by, reason=reason, now=now, more=more))
    sys.exit(ASKED)


def say_asked(command: BaseCommand, number: str, row: AskedAct) -> None:
    until = f"{timezone.localtime(row.lapses_at):%Y-%m-%d %H:%M}"
    command.stdout.write(f"{number}: nothing was done yet; a second person has to confirm it until {until}:")
    command.stdout.write(f"{settings.SITE_URL}{address(row)}")


def asked_by_command(
    decision: Action, number: str, *, by: str | None, reason: str, now: datetime.datetime, more: dict
) -> AskedAct:
    """Requests an approval as the account of `--by`. Raises CommandError with one line."""
    try:
        account = account_named(by)
        if why := why_not_ask(account, decision, find_order(number)):
            raise why
        return ask_second(
            decision,
            number=number,
            last_event_id=None,
            by=staff_actor(account),
            reason=reason.strip(),
            now=now,
            via=here(),
            **{name: value for name, value in more.items() if value},
        )
    except OrderError as error:
        raise CommandError(str(error)) from error


def here() -> str:
    """Returns host and OS user, stored with the request as its origin."""
    return f"{socket.gethostname()}:{os_user()}"


def note_emergency(
    decision: Action, order: Order | None, *, subject: str, by: str, reason: str, now: datetime.datetime
) -> None:
    about = {"act": decision.four_eyes, "right": decision.permission, "order": order, "subject": subject}
    carried_out_in_emergency(**about, by=by, reason=reason.strip(), now=now)


def known_orders(numbers: list[str]) -> dict[str, Order]:
    """Returns the orders by number. Raises CommandError with one line if a number is unknown."""
    found = {order.number: order for order in Order.objects.filter(number__in=numbers)}
    if unknown := [number for number in numbers if number not in found]:
        raise CommandError(f"unknown: {', '.join(unknown)}")
    return found


def state_suffix(order: Order | None) -> str:
    """Returns ` (state held: files)`."""
    if order is None:
        return ""
    order.refresh_from_db(fields=["state", "held_because"])
    return f" (state {order.state}: {order.held_because})" if order.held_because else f" (state {order.state})"
