"""`partners`, `partners check [FILE]`, `partners try CALL`, `partners read CALL FILE`: shows and tests calls of
partners.

The commands show how calls are made and how their answers are read (contract 7.3).
"""

import argparse
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from integrations.base.database_deadline import error_line
from integrations.base.other_desk import why_other_desk
from integrations.base.strict_json import content_type_in
from integrations.bigdata.client import job_query, trial_flow_query
from integrations.bpm.callback_reading import BadCallbackError, members_of, read_approval
from integrations.delivery.channels import build_payloads
from integrations.delivery.circuit_breaker import open_partners
from integrations.delivery.loop import drain
from integrations.onboarding.call_status import call_statuses, lines_of_status
from integrations.onboarding.samples import example_of, samples
from integrations.outbound import partner_rate
from integrations.outbound.failure_classification import PartnerError
from integrations.outbound.http_client import answer_listeners, named_charset, post
from integrations.outbound.wire_formats import encode
from integrations.partners.calls import Call, call_of
from integrations.partners.profile import NAMES, Profile, ProfileError, load_profile
from integrations.partners.profile_requirements import why_no_start
from integrations.partners.profile_words import (
    LOOK_UPS,
    lines_of_answer,
    lines_of_call,
    lines_of_callback,
    show_call,
    show_callback,
    without_values,
)
from integrations.probes import UNKNOWN_NUMBER
from orders.management.order_command import known_orders
from orders.models import Dispatch, Order
from orders.order_page.calls import curl_line, headers_with
from orders.outbox.record_selection import read_records
from orders.pauses.paused_steps import why_paused
from orders.rules.steps import STEPS, call_name
from orders.trials.trial_state_reads import shape_of

CALLBACK = "bpm.callback"
CALLS = [*NAMES, CALLBACK]
HEAD = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})[^\n]*\n((?:[^\r\n]+\r?\n)*)\r?\n")


class Command(BaseCommand):
    help = (
        "Shows how each call of the partners is made, read and stands, checks a profile, tries a call, reads an answer."
    )
    requires_system_checks = []  # most subcommands read only files and settings

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", metavar="check | try | read")
        check = what.add_parser("check", help="is the file right, and what goes out under it")
        check.add_argument("file", nargs="?", metavar="FILE", help="a profile; the one of PARTNERS_FILE unless given")
        attempt = what.add_parser("try", help="a call as curl; sends it with --send, and says how its answer is read")
        attempt.add_argument("call", metavar="CALL", help=", ".join(NAMES))
        attempt.add_argument("--order", metavar="N", default="", help="the order that it is about")
        attempt.add_argument("--send", action="store_true", help="look-ups at once, all else the step that waits")
        read = what.add_parser("read", help="how an answer, or a callback, would be read; nothing is stored")
        read.add_argument("call", metavar="CALL", help=", ".join(CALLS))
        read.add_argument("file", metavar="FILE", help="the body, or all of the answer from its line HTTP/1.1 on")
        read.add_argument("--status", type=int, default=200, help="the answer's HTTP status; 200 unless given")

    def handle(self, *args, what: str | None, **options) -> None:
        if what == "check":
            lines = self.check_profile(options["file"] or settings.PARTNERS_FILE)
        elif what == "read":
            lines = self.read(options["call"], options["file"], options["status"])
        elif what == "try":
            lines = self.try_call(options["call"], options["order"], options["send"])
        else:
            lines = self.show(settings.PARTNERS)
        for line in lines:
            self.stdout.write(without_values(line))

    def show(self, profile: Profile) -> Iterator[str]:
        yield f"profile: {settings.PARTNERS_FILE or 'none, so the defaults'}"
        try:
            found = {row.name: row for row in call_statuses()}
        except Error as error:  # the calls of the profile are shown without the database too
            found = {}
            yield f"how each call stands is not known: {error_line(error)}"
        for name in NAMES:
            yield from ("", *lines_of_call(show_call(profile, name)))
            yield from lines_of_status(found[name]) if found else ()
        yield from ("", *lines_of_callback(show_callback(profile)))

    def check_profile(self, file: str) -> Iterator[str]:
        try:
            profile = load_profile(file)
        except ProfileError as error:
            raise CommandError(str(error)) from error
        why = why_no_start(
            profile,
            bboss_ips=settings.BBOSS_ALLOWED_IPS,
            bpm_ips=settings.BPM_ALLOWED_IPS,
            proxies=settings.TRUSTED_PROXY_COUNT,
            environment=os.environ,
        )
        if why:
            raise CommandError(f"{file}: {why}")
        yield f"{file or 'no PARTNERS_FILE, so the defaults'}: right"
        for (name, usual), (_name, own) in zip(samples(Profile()), samples(profile), strict=True):
            yield from ("", f"{name}: {'as by default' if own == usual else 'other than by default'}")
            yield from [own] if own == usual else [f"by default: {usual}", f"now: {own}"]

    def try_call(self, name: str, number: str, send: bool) -> Iterator[str]:
        if name not in NAMES:
            raise CommandError(f"{name}: no such call; {', '.join(NAMES)}")
        call, shown = call_of(name), show_call(settings.PARTNERS, name)
        if not call.url:
            raise CommandError(f"{name}: the profile has no such call, since its path is empty")
        order = known_orders([number])[number] if number else None
        step = _step_of(order, name, must_wait=send) if order and name not in LOOK_UPS else None
        if send and not (step or name in LOOK_UPS):
            raise CommandError(f"{name} makes something there: name the order whose step waits for it, --order N")
        key = str(step.key if step else uuid.uuid4())
        body = _look_up_body(name, order) if name in LOOK_UPS else "" if step else encode(example_of(name))
        received: list[tuple[Call, int, str, bytes]] = []
        said = self.send(call, step, body, key, received) if send else ""
        if not (order or name in LOOK_UPS):
            yield "an example, of no order of yours:"
        yield curl_line(shown.address, headers_with(shown.key_header, key, shown.headers), body or _body_of(step))
        for answered, status, charset, raw in received:
            yield from (
                "",
                f"{answered.name} answered HTTP {status}, {charset}:",
                raw.decode(charset, "replace"),
            )
            yield from lines_of_answer(settings.PARTNERS, answered.name, status=status, raw=raw, charset=charset)
        if said:
            yield from ("", said)

    def send(self, call: Call, step: Dispatch | None, body: str, key: str, received: list) -> str:
        """Makes the call, and appends each answer to `received`. Returns a text with the recorded result of the step,
        or with the error of the call. If nothing was sent, raises CommandError."""
        self.check()
        partner = call.name.partition(".")[0]
        if why := why_other_desk() or why_paused(partner, now=timezone.now()):
            raise CommandError(f"nothing was sent: {why}")

        def keep(*answer: Any) -> None:
            received.append(answer)

        answer_listeners.append(keep)
        try:
            return _send_step(step, partner) if step else _look_up(call, body, key)
        finally:
            answer_listeners.remove(keep)

    def read(self, call: str, file: str, status: int) -> Iterator[str]:
        if call not in CALLS:
            raise CommandError(f"{call}: no such call; {', '.join(CALLS)}")
        try:
            raw = Path(file).read_bytes()
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        if call == CALLBACK:
            yield from self.read_callback(raw)
            return
        charset = ""
        if found := HEAD.match(raw):
            status, raw, kind = int(found[1]), raw[found.end() :], content_type_in(found[2])
            charset = named_charset(kind)
        yield from lines_of_answer(settings.PARTNERS, call, status=status, raw=raw, charset=charset)

    def read_callback(self, raw: bytes) -> Iterator[str]:
        try:
            said = read_approval(members_of(raw))
        except BadCallbackError as error:
            yield "read as: refused, HTTP 400"
            yield f"because: {error}"
            return
        about = f"process {said.process}" if said.process else f"order {said.number}"
        yield f"read as: a callback about {about}; who sent it is not checked here"
        for name, value in said.record.items():
            yield f"{name}: {value.isoformat() if name == 'time' else value}"


def _step_of(order: Order, name: str, *, must_wait: bool) -> Dispatch:
    """Returns the order's step that is due for this call. If no step is due, returns the last step for this call.

    Raises CommandError if the order has no such step. With `must_wait`, also raises CommandError if no such step is
    due.
    """
    rows = Dispatch.objects.current().filter(order=order, step__in=[one for one in STEPS if call_name(one) == name])
    rows = rows.select_related("order__service_type", "order__attribution", "order__trial__attribution")
    found = rows.due(timezone.now()).order_by("next_try_at", "pk").first()
    last = rows.order_by("pk").last()
    if last is None or (must_wait and found is None):
        stands = f": {last.step} is {last.state}" if last else ""
        raise CommandError(f"{order.number}: no step of it {'waits for' if last else 'calls'} {name}{stands}")
    return found or last


def _body_of(step: Dispatch) -> str:
    """Returns the step's stored payload. If none is stored, returns the payload that would be built now. If it can't be
    built, raises CommandError."""
    if step.payload:
        return step.payload
    step.frozen_at = timezone.now()
    body = build_payloads([step], step.frozen_at, read_records([step]))[step.pk]
    if isinstance(body, Exception):
        raise CommandError(f"the payload can't be built: {body}") from body
    return body


def _look_up_body(name: str, order: Order | None) -> str:
    if name == "bigdata.query":
        return encode(job_query(order.number if order else UNKNOWN_NUMBER))
    if order is None:
        return encode(trial_flow_query(enterprise_id=UNKNOWN_NUMBER, product_id="1", job_id=UNKNOWN_NUMBER))
    trial = order.trial or order
    service = shape_of(trial).service
    return encode(trial_flow_query(enterprise_id=trial.enterprise_id, product_id=service, job_id=trial.number))


def _look_up(call: Call, body: str, key: str) -> str:
    partner_rate.wait_for_slot(call.name.partition(".")[0])
    try:
        post(call, body.encode(), key=key, request_id=uuid.uuid4().hex, timeout=settings.PARTNER_TIMEOUT_SECONDS)
    except PartnerError as error:
        return f"{error.code}: {error.message}"
    return "nothing was stored"


def _send_step(step: Dispatch, partner: str) -> str:
    """Sends the step like a worker, even while its partner is held. Returns a text with the recorded result. If nothing
    was sent, raises CommandError."""
    report = drain(seconds=None, linger=False, threads=1, only=step)
    if report.fault:
        raise CommandError(str(report.fault))
    if not report.tried:
        down = f"the breaker of {partner} is open, and no probe is due; or " if partner in open_partners() else ""
        why = "a worker has it, one of its kind is in the air, its order is undone, or the database counts as restored"
        raise CommandError(f"nothing was sent: {down}{why}: see `show {step.order.number}`")
    step.refresh_from_db(fields=["state", "payload"])
    tried = step.tries.latest("pk")
    return f"recorded: {step.step}, attempt {tried.number}: {tried.outcome}; the step is {step.state}"
