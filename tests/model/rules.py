"""The rules: which acts may happen, how often, and with which values (docs/mechanisms/model.md).

There are few trials with few domains, so that acts affect each other. The simplest rule comes first, because
Hypothesis shrinks towards it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils import timezone
from hypothesis import strategies as st

from orders.actions.all_actions import DECISIONS
from orders.db.compiled_sql import Prepared
from orders.models import AskedAct, Dispatch, Order, PartnerHold
from orders.restore.detect_restore import is_restored
from tests.model.messages import FIRST_DAY
from tests.model.partner import FATES
from tests.model.staff import SERVICES

MOST = {"T": 2, "C": 6, "A": 6}  # the largest number of orders of each kind
LETTERS = st.sampled_from(["a", "b", "ab", "bc", "abc", "d", "A", "cd"])
GIVEN = st.sampled_from(["", "", "", "a", "b", "ab", "bc", "d", "abc", "A"])  # domains of a message that may omit them
SERVICE = st.sampled_from(["1", "1", "4"])
OTHER_SERVICE = st.sampled_from(["", "", "1", "4"])
START = st.sampled_from([0, 0, 0, 1, 1, 2, -3])
END = st.sampled_from([None, None, 0, 1, 1, 2, 3, 5, 9])
PICK = st.integers(0, 9)
BAD = st.sampled_from(["refuse", "lost", *[name for name in FATES if name != "ok"]])
CALLS = st.lists(st.sampled_from(["ok", *FATES]), min_size=1, max_size=4).map(tuple)
CALLS_IF_ANY = st.one_of(st.just(()), st.just(()), CALLS)
PARTNER = st.sampled_from(["bigdata", "bpm", "bigdata", "mail"])
CHANNEL = st.sampled_from(["", "", "billing", "bpm"])
BOTH = st.booleans()
STEPS = st.sampled_from(["", "", "", "create_trial_billing", "cancel_trial_billing", "delete_billing"])
MOVES = st.sampled_from([-2, -2, 5, 30, 90, 700, 3600, 39600])
DAYS = st.sampled_from([1, 1, 1, 2, 3, 6])
RETRIES = st.sampled_from([[30, 120, 600, 1800, 7200, 21600], [30], []])
MEANWHILE = st.sampled_from(["", "", "", "deliver", "land", "call"])
MEDDLED = st.tuples(st.sampled_from("abcd"), st.sampled_from(["delete", "live", "cancel", "times"]))
RECORD = st.sampled_from(["r1", "r2", "r3"])
BEHIND_A_LATE_CALL = st.sampled_from(
    [
        ("undone", "opened"),
        ("undone", "opened"),
        ("undone", "given up"),
        ("stray", "opened"),
        ("lost", ""),
        ("lost", "cancel"),
        ("lost", "delete"),
        ("lost", "compensated"),
        ("lost", "accepted"),
        ("repeat", ""),
        ("repeat", "cancel"),
    ]
)  # the late call, and the act that follows
TROUBLED = Prepared(
    lambda: Order.objects.filter(troubles__closed_at=None).order_by("-pk").values_list("number", flat=True)
)
STANDING = Prepared(
    lambda: (
        Order.objects.filter(kind="activation", state__in=["active", "scheduled"])
        .order_by("-pk")
        .values_list("number", flat=True)
    )
)
FAILED = Prepared(lambda: Dispatch.objects.filter(state="failed", superseded=False).values_list("pk")[:1])
DOUBTFUL = st.sampled_from(
    [("odd",), ("odd",), ("odd no",), ("again",), ("later",), ("garbage",), ("lost",), ("late",), ("refuse",)]
    + [("lost", "refuse")]
)  # outcomes (keys of FATES) of a call and of its repeat
BEHIND_DOUBT = st.sampled_from(
    ["read", "read", "read", "", "resend", "take_start", "send_anew", "callback", "remark", "compensate", "withdraw"]
    + ["resume", "opened"]
)
IN_DOUBT = Prepared(
    lambda: Dispatch.objects.filter(state="failed", superseded=False, step="start_bpm").values_list("pk")[:1]
)
HELD_BACK = Prepared(lambda: PartnerHold.objects.filter(ended_at=None).values_list("pk")[:1])
WAITING_ACTS = Prepared(lambda: AskedAct.objects.filter(state="asked").values_list("pk")[:1])
SCHEDULED = Prepared(
    lambda: Order.objects.filter(start_at__isnull=False).order_by("-pk").values_list("number", flat=True)
)
OVER = Prepared(
    lambda: Order.objects.filter(state__in=["withdrawn", "ended"]).order_by("-pk").values_list("number", flat=True)
)
HELD = {
    because: Prepared(lambda because=because: Order.objects.filter(held_because=because).values_list("pk")[:1])
    for because in ("attribution_unknown", "trial_closed", "domains_missing")
}

ANYTIME = [
    "compensate",
    "withdraw_by_staff",
    "attribute",
    "waive",
    "run_day",
    *(name for name in ("give_up", "take", "accept", "proceed", "name_domains", "decide") if name in SERVICES),
]
ANYTIME_MORE = {"name_domains": ("c",), "decide": ("reject",)}


def held(because: str) -> Callable:
    """Returns a condition that is true if an order is held for this reason."""
    return lambda model: HELD[because]()


@dataclass(frozen=True)
class Rule:
    """An act that may happen, with its weight, condition and values."""

    act: Callable
    weight: int
    when: Callable
    drawn: dict


RULES: list[Rule] = []


def often(weight: int, *, when: Callable = lambda model: True, needs: str = "", **drawn):
    """Adds the decorated method as a rule. `weight` says how often it is selected, relative to the other rules.

    All weights together are about two hundred. `when` is the rule's condition. `needs` is a service that some versions
    lack.
    """

    def add(act):
        if not needs or needs in SERVICES:
            RULES.append(Rule(act, weight, when, drawn))
        return act

    return add


class Acts:
    """The rules as methods. Each method selects values and carries out an act on the desk."""

    desk = None

    # --- selecting an order

    def own(self, letter: str) -> list[str]:
        """Returns the numbers of all orders of a kind (`T`, `C` or `A`), oldest first."""
        return [number for number in self.desk.said() if number[0] == letter]

    def next_number(self, letter: str) -> str:
        """Returns the next number of a kind (`T`, `C` or `A`).

        If the maximum is reached, returns the last number again.
        """
        return f"{letter}{min(len(self.own(letter)), MOST[letter] - 1)}"

    def trial_of(self, pick: int) -> str:
        return "T1" if pick == 9 else "T0"

    def some(self, pick: int, letters: str) -> str:
        """Returns an order of the kinds in `letters`. `pick` counts from the newest.

        If there is no such order, returns an unknown number.
        """
        numbers = [number for number in reversed(self.desk.said()) if number[0] in letters]
        return numbers[pick % len(numbers)] if numbers else f"{letters[0]}9"

    def troubled(self, pick: int, letters: str) -> str:
        """Returns an order of the kinds in `letters`. For most values of `pick`, an open incident names the order."""
        numbers = [number for number in dict.fromkeys(TROUBLED()) if number[0] in letters] if pick < 7 else []
        return numbers[pick % len(numbers)] if numbers else self.some(pick, letters)

    def standing(self) -> list[str]:
        """Returns the billed activations, newest first."""
        return [number for number in STANDING() if number in self.own("A")]

    def days_gone(self) -> int:
        return (timezone.localdate() - FIRST_DAY).days

    # --- the worker

    @often(12)
    def deliver(self):
        self.desk.deliver()

    @often(12, partner=PARTNER, fate=BAD)
    def deliver_badly(self, partner, fate):
        self.desk.deliver(partner, fates=(fate,))

    @often(8, fates=CALLS)
    def deliver_one_by_one(self, fates):
        self.desk.deliver("bigdata", "bpm", fates=fates, room=1)

    @often(8)
    def next_moment(self):
        self.desk.next_moment()

    @often(7, seconds=MOVES)
    def wait(self, seconds):
        self.desk.wait(seconds)

    @often(8, days=DAYS)
    def days(self, days):
        """Lets days pass, with a sweep at the end."""
        self.desk.wait(86400 * days)
        self.desk.sweep()

    @often(2)
    def sweep(self):
        self.desk.sweep()

    @often(5, partner=PARTNER, room=st.sampled_from([1, 50]))
    def claim(self, partner, room):
        self.desk.claim(partner, room=room)

    @often(30, when=lambda model: any(flight.outcome is None for flight in model.desk.air), fates=CALLS)
    def call(self, fates):
        self.desk.call(*fates)

    @often(30, when=lambda model: any(flight.outcome for flight in model.desk.air))
    def land(self):
        self.desk.land()

    @often(6, when=lambda model: model.desk.air)
    def die(self):
        self.desk.die()

    @often(3, write=st.integers(1, 14))
    def dies(self, write):
        self.desk.dies(write)

    @often(4, when=lambda model: model.desk.wire.stalled)
    def stalled(self):
        self.desk.stalled()

    @often(6, when=lambda model: model.standing(), pick=PICK, play=BEHIND_A_LATE_CALL)
    def behind_a_late_call(self, pick, play):
        """Makes a billing call that gets no answer, then acts on the order.

        The call's repeat is refused, and the first call is carried out minutes later.
        """
        numbers, (what, then), desk = self.standing(), play, self.desk
        number = numbers[pick % len(numbers)]
        desk.deliver()
        letter = (desk.live_there(number) or ["a"])[0][0]
        if then in {"cancel", "delete"}:
            desk.wait(2 * 86400)
        if what == "stray":
            desk.compensate(number).deliver().meddle(number, letter, "live").reconcile(number, fix=True)
        elif what == "lost":
            desk.meddle(number, letter, "delete").reconcile(number, fix=True)
        elif what == "undone":
            desk.compensate(number)
        else:
            desk.resend(number, force=True, channel="billing")
        before = ("ok",) if what == "repeat" and pick % 2 else ()
        desk.deliver("bigdata", fates=(*before, "late")).next_moment().deliver("bigdata", fates=("refuse",))
        if then == "given up":
            desk.give_up(number)
        elif what == "undone":
            desk.resend(number)
        elif what in {"stray", "lost"} and then != "accepted":
            desk.reconcile(number, fix=True)
        desk.deliver()
        if then == "opened":
            desk.resend(number)
        elif then == "accepted":
            desk.accept(number)
        elif then in {"", "cancel", "delete"}:
            desk.withdraw_by_staff(number, then)
        elif then == "compensated":
            desk.compensate(number)
        elif then == "given up":
            desk.reconcile(number)
        desk.deliver()

    @often(12, pick=PICK, domains=GIVEN, fates=DOUBTFUL, billing=st.integers(0, 3), then=BEHIND_DOUBT)
    def doubtful(self, pick, domains, fates, billing, then):
        """Sends an activation with a step that ends in doubt (contract 7.2). Then people or BPM react to the doubt."""
        number, desk = self.next_number("A"), self.desk
        desk.activation(number, self.trial_of(pick), domains, start=self.days_gone())
        if billing:
            desk.deliver("bigdata")
        for fate in fates:
            desk.deliver("bpm" if billing else "bigdata", fates=(fate,)).next_moment()
        if then in {"compensate", "opened"}:
            desk.compensate(number).deliver()
        if then == "read":
            desk.profile(odd=True).resume("bpm" if billing else "bigdata").resend(number)
        elif then in {"callback", "remark"}:
            desk.callback(number, "pass", f"{number}-{then}", finished=then == "callback")
        elif then == "opened":
            desk.send_anew(number) if pick % 2 else desk.resend(number)
        elif then == "resume":
            desk.resume("bpm" if billing else "bigdata")
        elif then:
            getattr(desk, then)(number)
        if pick % 2:
            desk.deliver()

    @often(3, count=st.integers(2, 4), between=st.sampled_from([0, 0, 40000, 90000]), ok=st.integers(0, 3))
    def in_a_row(self, count, between, ok):
        """Sends BPM starts of several orders. BPM refuses all of them, or all but one, with the same words."""
        for place in range(count):
            number = self.next_number("A")
            self.desk.activation(number, self.trial_of(0), "abcd"[place], start=self.days_gone()).deliver("bigdata")
            self.desk.deliver("bpm", fates=() if place == ok else ("refuse",)).wait(between)
            self.desk.deliver("bigdata")

    # --- BBOSS and BPM

    @often(14, pick=PICK, domains=GIVEN, start=START, service=SERVICE, files=st.integers(0, 9))
    def activation(self, pick, domains, start, service, files):
        start, files = start + self.days_gone(), files == 9
        number, of = self.next_number("A"), self.trial_of(pick)
        self.desk.activation(number, of, domains, start=start, service=service, files=files)

    @often(14, pick=PICK, domains=GIVEN, service=OTHER_SERVICE, end=END, flow=BOTH)
    def change(self, pick, domains, service, end, flow):
        end = None if end is None else end + self.days_gone()
        number, of, flow = self.next_number("C"), self.trial_of(pick), "2" if flow else ""
        self.desk.change(number, of, domains, service=service, end=end, flow=flow)

    @often(4, pick=PICK, domains=LETTERS, service=SERVICE, end=END)
    def trial(self, pick, domains, service, end):
        end = None if end is None else end + self.days_gone()
        self.desk.trial(self.next_number("T"), domains, service=service, end=end, known=pick < 7)

    @often(5, pick=PICK)
    def withdraw(self, pick):
        self.desk.withdraw(self.some(pick, "T" if pick == 9 else "CA"))

    @often(5, pick=PICK)
    def withdraw_in_turn(self, pick):
        """Withdraws the two newest changes one after the other. Either change may come first."""
        changes = self.own("C")[-2:]
        for number in changes if pick < 5 else reversed(changes):
            self.desk.withdraw(number)
            if pick % 2:
                self.desk.deliver()

    @often(2, pick=PICK, flow=st.sampled_from(["", "", "9"]), same_call=BOTH)
    def again(self, pick, flow, same_call):
        number = self.some(pick, "TCA")
        if number in self.desk.contents:
            self.desk.again(number, flow=flow, same_call=same_call)

    @often(9, pick=PICK, result=st.sampled_from(["pass", "pass", "reject"]), record=RECORD)
    def decides(self, pick, result, record):
        number = self.some(pick, "A")
        self.desk.callback(number, result, f"{number}-{record}")

    @often(1, pick=PICK, result=st.sampled_from(["pass", "reject", "return"]))
    def remarks(self, pick, result):
        number = self.some(pick, "TCA")
        self.desk.callback(number, result, f"{number}-0", finished=result != "return" and pick < 3)

    # --- staff

    @often(10, pick=PICK, force=st.integers(0, 3), channel=CHANNEL)
    def resend(self, pick, force, channel):
        self.desk.resend(self.troubled(pick, "TCA"), force=force == 3, channel=channel)

    @often(6, when=lambda model: TROUBLED(), pick=PICK)
    def send_anew(self, pick):
        self.desk.send_anew(self.troubled(pick, "TCA"))

    @often(5, when=lambda model: IN_DOUBT(), pick=PICK, named=BOTH)
    def take_start(self, pick, named):
        self.desk.take_start(self.troubled(pick, "A"), named=named)

    @often(6, when=lambda model: HELD_BACK(), partner=st.sampled_from(["bpm", "bigdata"]))
    def let_on(self, partner):
        """Resumes a partner that the desk holds."""
        self.desk.resume(partner)

    @often(3, ask=BOTH, odd=BOTH)
    def profile(self, ask, odd):
        self.desk.profile(ask=ask, odd=odd)

    @often(3, force=st.integers(0, 5), reopen=BOTH, partner=st.sampled_from(["", "", "bigdata", "bpm"]))
    def resend_failed(self, force, reopen, partner):
        self.desk.resend(failed=True, force=force == 5, reopen=reopen, partner=partner)

    @often(4, fix=BOTH, fates=CALLS_IF_ANY, meanwhile=MEANWHILE)
    def reconcile(self, fix, fates, meanwhile):
        self.desk.reconcile(fix=fix, fates=fates, meanwhile=meanwhile)

    @often(3, pick=PICK, reason=st.sampled_from(["", "", "the model"]), meanwhile=MEANWHILE)
    def reconcile_one(self, pick, reason, meanwhile):
        self.desk.reconcile(self.troubled(pick, "TA"), fix=True, reason=reason, meanwhile=meanwhile)

    @often(1, pick=PICK)
    def reconcile_list(self, pick):
        """Compares BBOSS's list, which has an unknown number and may lack one of the desk's numbers."""
        numbers = [*self.desk.contents, "X1"]
        self.desk.reconcile(listed=" ".join(numbers[:pick] + numbers[pick + 1 :]))

    @often(5, partner=PARTNER, seconds=st.sampled_from([0, 0, 90, 7200, 90000]))
    def pause(self, partner, seconds):
        self.desk.pause(partner, seconds)

    @often(6, when=lambda model: model.desk.paused, partner=PARTNER)
    def resume(self, partner):
        self.desk.resume(partner)

    @often(4, pick=PICK)
    def compensate(self, pick):
        self.desk.compensate(self.some(pick, "A"))

    @often(4, pick=PICK, how=st.sampled_from(["", "", "cancel", "delete"]))
    def withdraw_by_staff(self, pick, how):
        self.desk.withdraw_by_staff(self.troubled(pick, "T" if pick == 9 else "CA"), how)

    @often(5, when=held("attribution_unknown"), pick=PICK)
    def attribute(self, pick):
        self.desk.attribute(self.some(pick, "T"))

    @often(5, pick=PICK, letters=st.sampled_from(["BJ", "GD", "SH"]))
    def move_attribution(self, pick, letters):
        self.desk.move_attribution(self.some(pick, "TCA"), letters)

    @often(4, when=lambda model: model.desk.wrong_files, pick=PICK, waive=BOTH)
    def files(self, pick, waive):
        number = self.troubled(pick, "A")
        self.desk.waive(number) if waive else self.desk.files_come(number)

    @often(2, pick=PICK)
    def run_day(self, pick):
        self.desk.run_day(self.some(pick, "A"))

    @often(3, pick=PICK, nobody=st.integers(0, 2))
    def take_on(self, pick, nobody):
        self.desk.take_on(self.troubled(pick, "TCA"), nobody=nobody == 2)

    @often(1)
    def fetch_usage(self):
        self.desk.fetch_usage()

    @often(12, needs="give_up", when=lambda model: FAILED(), pick=PICK, step=STEPS)
    def give_up(self, pick, step):
        self.desk.give_up(self.troubled(pick, "TCA"), step)

    @often(
        8, needs="take", when=lambda model: TROUBLED(), pick=PICK, step=STEPS, fates=CALLS_IF_ANY, meanwhile=MEANWHILE
    )
    def take(self, pick, step, fates, meanwhile):
        self.desk.take(self.troubled(pick, "TCA"), step, fates=fates, meanwhile=meanwhile)

    @often(4, needs="accept", when=lambda model: TROUBLED(), pick=PICK, meanwhile=MEANWHILE)
    def accept(self, pick, meanwhile):
        self.desk.accept(self.troubled(pick, "TCA"), meanwhile=meanwhile)

    @often(
        6,
        needs="accept",
        pick=PICK,
        first=MEDDLED,
        then=MEDDLED,
        act=st.sampled_from(["accept", "accept", "take", "press"]),
    )
    def behind_a_comparison(self, pick, first, then, act):
        """Changes a record manually after the comparison that shows its difference. Then staff take or accept the
        record."""
        number = self.some(pick, "TA")
        self.desk.meddle(number, *first).reconcile(number).meddle(number, *then)
        self.desk.press(number, "accept") if act == "press" else getattr(self.desk, act)(number)

    @often(5, needs="decide", pick=PICK, record=st.sampled_from(["r1", "r2", "r3", "pass", "reject"]))
    def decide(self, pick, record):
        number = self.troubled(pick, "A")
        self.desk.decide(number, record if record in {"pass", "reject"} else f"{number}-{record}")

    @often(10, needs="proceed", when=held("trial_closed"), pick=PICK)
    def proceed(self, pick):
        self.desk.proceed(self.troubled(pick, "CA"))

    @often(10, needs="name_domains", when=held("domains_missing"), pick=PICK, domains=LETTERS)
    def name_domains(self, pick, domains):
        self.desk.name_domains(self.troubled(pick, "A"), domains)

    @often(4, pick=PICK, what=MEDDLED)
    def meddle(self, pick, what):
        self.desk.meddle(self.some(pick, "TA"), *what)

    @often(14, when=lambda model: TROUBLED(), pick=PICK, which=PICK, choice=st.integers(0, 2))
    def press(self, pick, which, choice):
        """Presses a button that the order's page offers."""
        number = self.troubled(pick, "TCA")
        if keys := self.desk.buttons(number):
            self.desk.press(number, keys[which % len(keys)], choice)

    @often(6, when=lambda model: TROUBLED(), pick=PICK, which=PICK, choice=st.integers(0, 2))
    def ask(self, pick, which, choice):
        """Requests the act of a button that a second person must confirm."""
        number = self.troubled(pick, "TCA")
        if keys := [key for key in self.desk.buttons(number) if DECISIONS[key].four_eyes]:
            self.desk.ask(number, keys[which % len(keys)], choice)

    @often(8, when=lambda model: WAITING_ACTS(), which=PICK, off=st.integers(0, 4))
    def confirm(self, which, off):
        self.desk.call_off(which) if off == 4 else self.desk.confirm(which)

    @often(5, pick=PICK, domain=st.sampled_from("abcd"), what=st.sampled_from(["end", "end", "start"]), to=DAYS)
    def move_by_hand(self, pick, domain, what, to):
        """Moves an end or a start manually at the big-data side."""
        self.desk.meddle(self.some(pick, "TA" if what == "end" else "A"), domain, what, to=self.days_gone() + to)

    @often(9, needs="move_start", pick=PICK, to=st.sampled_from([0, 0, 1, 2, 3, 6]))
    def move_start(self, pick, to):
        """Moves the start day of an order, usually of a scheduled order."""
        mine = self.own("A") if pick < 8 else []
        waiting = [number for number in SCHEDULED() if number in mine]
        number = waiting[pick % len(waiting)] if waiting else self.some(pick, "TCA")
        self.desk.move_start(number, self.days_gone() + to)

    @often(6, needs="move_end", pick=PICK, to=st.sampled_from([0, 1, 2, 5, 20, 40]))
    def move_end(self, pick, to):
        """Moves the last day of an order, usually of a trial."""
        self.desk.move_end(self.some(pick, "T" if pick < 8 else "TCA"), self.days_gone() + to)

    @often(4, needs="erase", pick=PICK)
    def erase(self, pick):
        """Erases personal data, usually of an order that is withdrawn."""
        over = list(OVER()) if pick < 8 else []
        self.desk.erase(over[pick % len(over)] if over else self.some(pick, "TCA"))

    @often(4, pick=PICK, kind=st.sampled_from(["live", "cancel", "delete"]), domains=LETTERS)
    def refuses(self, pick, kind, domains):
        """Makes the partner refuse some records, or removes all refusals."""
        self.desk.refuses() if pick < 4 else self.desk.refuses(kind, domains)

    @often(2, pick=PICK, domains=LETTERS, service=SERVICE, end=END)
    def enter(self, pick, domains, service, end):
        """Enters a trial as staff. BBOSS may have sent it before, or sends it later."""
        end = None if end is None else end + self.days_gone()
        self.desk.enter(self.next_number("T"), domains, service=service, end=end)

    @often(4, act=st.sampled_from(ANYTIME), pick=PICK)
    def astray(self, act, pick):
        """Gives a command in a situation where nobody would give it."""
        getattr(self.desk, act)(self.some(pick, "TCA"), *ANYTIME_MORE.get(act, ()))

    # --- a restore

    @often(5, when=lambda model: not model.desk.wire.forgetful)
    def copy(self):
        """Copies the database. This rule is not used with a BPM that ignores keys.

        After a restore, such a BPM would start a second process.
        """
        self.desk.copy()

    @often(5, when=lambda model: model.desk.kept)
    def restore(self):
        self.desk.restore()

    @often(30, when=lambda model: model.desk.restores and is_restored())
    def word(self):
        self.desk.word()

    @often(10, when=lambda model: model.desk.missing)
    def send_missing(self):
        self.desk.send_missing()

    # --- settings, and a check in between

    @often(1, billing=st.sampled_from(["after_approval", "at_once"]))
    def billing_setting(self, billing):
        self.desk.setting(billing=billing)

    @often(2, retries=RETRIES)
    def retry_setting(self, retries):
        self.desk.setting(retries=retries)

    @often(1)
    def judged(self):
        self.desk.judged()


def leave_out(names: Iterable[str]) -> None:
    """Removes the rules of these acts. So a seed that is older than the rules plays the same sequences as before."""
    for name in names:
        found = [one for one in RULES if one.act.__name__ == name]
        if not found:
            raise SystemExit(f"there is no rule {name}")
        RULES.remove(found[0])
