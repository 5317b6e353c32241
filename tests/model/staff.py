"""The acts of staff. There is one for each command of contract section 5 that changes something.

Commands that this version of the desk lacks are left out.
"""

import datetime
import inspect
from collections.abc import Callable, Collection

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string

from integrations.bigdata.bigdata_steps import record_facts
from integrations.bigdata.billing_record_fields import records_body
from integrations.bigdata.reconciliation import Comparison, Scope
from integrations.delivery.circuit_breaker import open_partners
from orders.actions.accept import ask_to_accept
from orders.actions.take import ask_all
from orders.attachments.files_hold import waive_files
from orders.books.books import BooksSilentError
from orders.erasing.over_lines import line_of
from orders.history.order_locks_and_events import find_order, lock_order, lock_orders
from orders.incidents.incident_handling import resolve_incident
from orders.intake.receive import enter_order
from orders.intake.replan_held_orders import choose_attribution
from orders.models import AffectedOrder, BillingRecord, Dispatch, InboundMessage, Order, OrderEvent
from orders.pauses.pause_and_resume import pause_partner
from orders.people.ownership import set_owner
from orders.replanning.withdrawal import withdraw_by_staff
from orders.restore.detect_restore import is_restored
from orders.restore.manual_trial_numbers import note_numbers
from orders.sending.reread_answers import resume_partner
from orders.sending.resend import Selection, judge_selection, resend
from orders.sending.trial_traffic import ask_for_usage
from orders.start_day.move_attribution import move_attribution
from orders.undoing.by_staff import compensate
from project.models import User
from tests.model.acts import WrongError, act
from tests.model.messages import FIRST_DAY, as_order, day, names, trial_content
from tests.model.shown import only_what_was_shown
from tests.model.worker import LOOKS

PHONE = "13800000000"  # the phone number in each message (tests/flows/contents.py)
# The acts that a version may lack, with the paths of their services.
MAY_COME = {
    "give_up": "orders.replanning.giving_up.give_up",
    "take": "orders.actions.take.take",
    "accept": "orders.actions.accept.accept",
    "decide": "orders.replanning.staff_decision.decide",
    "proceed": "orders.intake.replan_held_orders.proceed",
    "name_domains": "orders.intake.replan_held_orders.name_domains",
    "move_start": "orders.start_day.move_start.move_start",
    "move_end": "orders.start_day.move_end.move_end",
    "erase": "orders.erasing.erase_line.erase_line",
    "stuck": "orders.incidents.stuck.stuck",
}


def find(path: str) -> Callable | None:
    """Returns the service at this path, or None if it does not exist."""
    try:
        return import_string(path)
    except ImportError:
        return None


SERVICES = {name: found for name, path in MAY_COME.items() if (found := find(path))}
WITHDRAWS_IN_TWO_WAYS = "how" in inspect.signature(withdraw_by_staff).parameters
REOPENS = "reopen" in Selection.__dataclass_fields__
MOMENTS = {"end": "235959", "start": "000000"}  # time of the day
WHY = {"reason": "the model", "by": "staff:model"}
ASKS = {"take": ask_all, "accept": ask_to_accept}  # functions that query the partner before the act


def owner() -> User:
    """Returns an account that may own orders and has no mail address."""
    user, new = User.objects.get_or_create(username="model", defaults={"is_staff": True})
    if new:
        user.groups.set(Group.objects.filter(name="工程师"))
    return user


def without_owner(pk: int) -> tuple[dict, list]:
    """Returns an order's values and its steps. Leaves out the values that are about the owner."""
    row = Order.objects.values().get(pk=pk)
    steps = Dispatch.objects.filter(order=pk).order_by("pk").values_list("pk", "state", "next_try_at", "superseded")
    return {name: value for name, value in row.items() if not name.startswith("owner")}, list(steps)


def books_and_steps(orders: Collection[int]) -> tuple[list, list]:
    """Returns the billing records of these orders, and the state and key of their steps."""
    steps = Dispatch.objects.filter(order__in=orders).order_by("pk").values_list("pk", "state", "key", "next_try_at")
    return list(BillingRecord.objects.filter(order__in=orders).order_by("pk").values()), list(steps)


class Interrupted(Comparison):
    """A comparison of both sides' records, during which an act happens."""

    meanwhile: Callable | None = None

    def _compare(self, *args):
        if self.meanwhile:
            self.meanwhile()
        super()._compare(*args)


class Staff:
    """Carries out the commands at the simulated time."""

    @act
    def resend(self, *numbers: str, force=False, **selection):
        """Resends orders given by number or by a filter (channel, failed, partner, since, reopen)."""
        if "reopen" in selection and not REOPENS:
            del selection["reopen"]
        if any(map(self.bpm_has, numbers or self.contents)):
            selection["channel"] = "billing"  # BPM was asked, and has a process under a key that the database lost
        chosen, how = Selection(numbers=numbers, **selection), {"force": force, "open_partners": open_partners()}
        before = judge_selection(chosen, **how)
        judged = resend(chosen, now=timezone.now(), **how, **WHY).judgements
        of_orders = [row for row in judged if row.order != "-"]  # mails without an order are not previewed
        if [(row.order, row.step, row.verdict) for row in of_orders] != [(r.order, r.step, r.verdict) for r in before]:
            raise WrongError("the page says what happens", before, judged)
        return ", ".join(f"{row.order} {row.step}: {row.verdict}" for row in judged)

    @act
    def reconcile(
        self, *numbers: str, fix=False, reason="", listed: str | None = None, fates: tuple[str, ...] = (), meanwhile=""
    ):
        """Compares the desk's records with the partner's. With `fix`, also fixes the differences.

        `listed` has the numbers of BBOSS's list, separated by blanks. `meanwhile` names an act that happens between
        the query and the comparison.
        """
        self.wire.fates.extend(fates)
        names = None if listed is None else listed.split()
        run = Interrupted(Scope(numbers=numbers), by=WHY["by"], fix=fix, reason=reason, listed=names)
        run.meanwhile = getattr(self, meanwhile) if meanwhile else None
        row = run.run()
        self.wire.fates.clear()
        return f"{row.differences} differences, {row.fixed} put right {row.error}"

    @act
    def pause(self, partner: str, seconds: float = 0):
        """Pauses a partner for this number of seconds. 0 means until the act `resume`."""
        now = timezone.now()
        until = now + datetime.timedelta(seconds=seconds) if seconds else None
        pause_partner(partner=partner, now=now, until=until, **WHY)
        self.paused[partner] = until

    @act
    def resume(self, partner: str):
        resume_partner(partner=partner, by=WHY["by"], now=timezone.now())
        self.paused.pop(partner, None)  # after the resume, because the process may be killed before

    @act
    def enter(self, number: str, domains: str = "a", *, service="1", end: int | None = None, flow="1"):
        """Enters a trial as staff. BBOSS does not know it."""
        return self._enter(trial_content(number, domains, service, end, flow))

    def _enter(self, content: dict) -> str:
        if is_restored():
            return "503"
        with transaction.atomic():
            receipt = enter_order(as_order(content), raw=content, by=WHY["by"])
            note_numbers([content["OrderNum"]], by=WHY["by"], now=timezone.now())
        if not receipt.repeated:
            self.entered[content["OrderNum"]] = content
        return "known" if receipt.repeated else ""

    @act
    def compensate(self, number: str):
        compensate(number=number, now=timezone.now(), **WHY)

    @act
    def withdraw_by_staff(self, number: str, how: str = ""):
        more = {"how": how} if WITHDRAWS_IN_TWO_WAYS else {}
        withdraw_by_staff(number=number, now=timezone.now(), **WHY, **more)

    @act
    def attribute(self, number: str, letters: str = "BJ"):
        choose_attribution(number=number, letters=letters, now=timezone.now(), **WHY)

    @act
    def move_attribution(self, number: str, letters: str = "GD"):
        move_attribution(number=number, letters=letters, now=timezone.now(), **WHY)

    @act
    def waive(self, number: str):
        waive_files(number=number, now=timezone.now(), **WHY)

    @act
    def fetch_usage(self, *numbers: str):
        ask_for_usage(by=WHY["by"], now=timezone.now(), numbers=list(numbers) or None)

    @act
    def give_up(self, number: str, step: str = ""):
        SERVICES["give_up"](number=number, step=step, now=timezone.now(), **WHY)

    @act
    def take(self, number: str, step: str = "", fates: tuple[str, ...] = (), meanwhile=""):
        """Takes the partner's records of an order as the desk's own.

        `meanwhile` names an act that happens between the query and the taking, as if a page had been open for some
        time.
        """
        return self._with_books("take", number, fates, meanwhile, step=step)

    @act
    def accept(self, number: str, incident: str = "", meanwhile=""):
        return self._with_books("accept", number, (), meanwhile, incident=incident)

    def _with_books(self, name: str, number: str, fates: tuple[str, ...], meanwhile: str, **more) -> str:
        self.wire.fates.extend(fates)
        held = None
        try:
            if meanwhile:
                held = ASKS[name](find_order(number), by=WHY["by"], **more)
                getattr(self, meanwhile)()
            with only_what_was_shown(number):
                SERVICES[name](number=number, held=held, now=timezone.now(), **WHY, **more)
        except BooksSilentError as error:
            return repr(error)
        finally:
            self.wire.fates.clear()
        return ""

    @act
    def decide(self, number: str, record: str):
        SERVICES["decide"](number=number, record=record, now=timezone.now(), **WHY)

    @act
    def proceed(self, number: str):
        SERVICES["proceed"](number=number, now=timezone.now(), **WHY)

    @act
    def name_domains(self, number: str, domains: str):
        SERVICES["name_domains"](number=number, domains=list(names(domains)), now=timezone.now(), **WHY)

    @act
    def move_start(self, number: str, to: int):
        """Moves an order's start to this day. Day 0 is FIRST_DAY."""
        SERVICES["move_start"](number=number, day=FIRST_DAY + datetime.timedelta(days=to), now=timezone.now(), **WHY)

    @act
    def move_end(self, number: str, to: int):
        """Moves a trial's end to this day. Day 0 is FIRST_DAY."""
        SERVICES["move_end"](number=number, day=FIRST_DAY + datetime.timedelta(days=to), now=timezone.now(), **WHY)

    @act
    def erase(self, number: str):
        """Erases the personal data of an order and of all orders of its trial.

        Raises WrongError if billing records or steps change, if an order is not over, or if personal data is left.
        """
        with transaction.atomic():  # other processes that work on these orders wait for the locks
            line = lock_orders(line_of(find_order(number)).values_list("pk", flat=True))
            before = books_and_steps(line)
            found = SERVICES["erase"](number=number, now=timezone.now(), **WHY)
            if before != books_and_steps(line):
                raise WrongError("erasing changes nothing of the books", number)
        orders = Order.objects.filter(number__in=found.numbers)
        if live := [row.number for row in orders if row.state in {"active", "trialing", "scheduled", "held"}]:
            raise WrongError("erased a line that is not over", *live)
        left = [row.number for row in orders if row.oper_tel or PHONE in str(row.content)]
        left += InboundMessage.objects.filter(order_number__in=found.numbers, body__contains=PHONE)
        if left:
            raise WrongError("erased, and the phone is still there", *left)

    @act
    def resolve(self, number: str):
        """Resolves the incidents of an order that nothing else ends.

        These incidents are about contradictions of BPM and about failed mails.
        """
        over = Q(incident__step="approval") | Q(incident__partner="mail")
        ids = set(
            AffectedOrder.objects.filter(over, order__number=number, closed_at=None).values_list("incident", flat=True)
        )
        for pk in ids:
            resolve_incident(incident_id=pk, now=timezone.now(), **WHY)
        return "" if ids else "nothing to resolve"

    @act
    def take_on(self, number: str, nobody: bool = False):
        """Sets or removes an order's owner. The order and its steps must not change."""
        with transaction.atomic():
            order = lock_order(number)
            before = without_owner(order.pk)
            to, now = None if nobody else owner(), timezone.now()
            done = set_owner(kind="order", pk=order.pk, to=to, by=WHY["by"], now=now)
            if before != without_owner(order.pk):
                raise WrongError("an owner changes nothing", before, without_owner(order.pk))
        return "" if done else "already"

    @act
    def meddle(self, number: str, domain: str, what: str, to: int | None = None):
        """Changes a record of the order `number` at the big-data side, as a person there might.

        The record must exist or have existed. `to` is the day to which the record's `end` or `start` is moved.
        """
        key = f"{domain.lower()}.example.com"
        rows = [row for row in self.wire.partners.store.records(number) if row["domain"].lower() == key]
        if not rows:
            found = BillingRecord.objects.filter(order__number=number, domain_key=key, cancel_time__isnull=False)
            facts = [record_facts(row, cancelled=False) for row in found.select_related("order__attribution")]
            rows = records_body(facts)["productInfos"]
        if not rows:
            return "no such record"
        self.wire.meddle(rows[-1], what, "" if to is None else day(to) + MOMENTS[what])
        self.meddled = True
        records = self.wire.partners.store.records()
        looking = Dispatch.objects.filter(state__in=["waiting", "due"], step__in=LOOKS).values("order")
        for event in OrderEvent.objects.filter(kind__in=["given_up", "accepted"], order__in=looking):
            self.seen.note_changed(event.kind, event.pk, number, records)
        return ""

    @act
    def setting(self, **values):
        """Sets SUBSEQUENT_BILLING (`billing`), DISPATCH_RETRY_SECONDS (`retries`) or PARTNER_ANSWERS (`answers`)."""
        called = {"billing": "SUBSEQUENT_BILLING", "retries": "DISPATCH_RETRY_SECONDS", "answers": "PARTNER_ANSWERS"}
        for name, value in values.items():
            setattr(settings, called[name], value)
