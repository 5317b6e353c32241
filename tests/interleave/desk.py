"""The model's desk (tests.model.world) at work on a database that others use too, before the partners' real process.

Messages and callbacks go through the real endpoints of the web process. Due steps are delivered by real drains with
threads, which may continue beside other acts. The stages of one more worker (claim, call, land, die) are the model's.
"""

import datetime
import functools
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator

from django.conf import settings
from django.db import connections
from django.utils import timezone

from integrations.bboss.order_fields import is_withdrawal
from integrations.delivery.loop import Drain
from notifications.models import Mail
from orders.mails.mail_creation import tell_missed
from orders.models import Dispatch
from orders.sending.claim import claim
from orders.texts.errors import OrderError
from tests.bpm_messages import approval
from tests.files.books import book
from tests.interleave.wire import MailServer
from tests.model.acts import Died, WrongError, act
from tests.model.doubts import CALLS, KINDS, asks, is_proven, steps_of
from tests.model.messages import FILE
from tests.model.world import Desk

AT_MOST = 60  # seconds of a drain; one that takes longer does not end
SHORT = 5  # seconds of a clock's move that drains need not be waited for
BOOK = book()


class Clock:
    """The clock of all processes (tests/clock_site): it stands, but for what `shift` moves it."""

    def __init__(self, processes, begin):
        self.processes, self.begin = processes, begin
        self.before_a_move = lambda: None

    def reset(self) -> None:
        self._set(self.begin)

    def shift(self, seconds: float) -> None:
        if not -SHORT < seconds < SHORT:
            self.before_a_move()
        self._set(timezone.now() + datetime.timedelta(seconds=seconds))

    def _set(self, moment: datetime.datetime) -> None:
        self.processes.at(moment.isoformat())


def _beside_drains(name: str, kind: str):
    """The model's act of this name. It compares two looks; drains may change what it looks at in between."""

    @functools.wraps(getattr(Desk, name))
    def acting(self, *args, **more):
        beside = any(thread.is_alive() for thread in self.drains)
        try:
            return getattr(super(SharedDesk, self), name)(*args, **more)
        except WrongError as error:
            if not beside or error.kind != kind:
                raise
            return "done beside drains"

    return act(acting)


def claim_and_look(**how):
    """A worker's claim. Behind it one of an unproven kind is in the air in all workers (contract 7.2)."""
    works = claim(**how)
    if asks() and any(work.step in KINDS for work in works):
        sending = Dispatch.objects.filter(state="sending", next_try_at__gt=how["now"]).values_list("pk", flat=True)
        flying = Counter(row.kind for row in steps_of(list(sending)).values())
        if found := [kind for kind in CALLS if flying[kind] > 1 and not is_proven(kind)]:
            raise WrongError("one of an unproven kind is in the air", *found)
    return works


class SharedDesk(Desk):
    """One desk of several people: each uses numbers of their own."""

    def __init__(self, clock, wire, complaints, processes):
        super().__init__(clock, wire, complaints)
        self.processes = processes
        self.drains: list[threading.Thread] = []
        self.broke: list[BaseException] = []
        self.mail_fates = MailServer.fates
        self.in_hand: set[str] = set()  # mails that a worker of stages had, which may die or be late
        self.died_at = float("inf")  # how many mails were taken when a process was killed first
        clock.before_a_move = self.gather

    # --- the worker

    @act
    def deliver(self, *partners: str, fates: tuple[str, ...] = (), room: int = 50):
        """Delivers all that is due: for all partners by a real drain, for some stage by stage."""
        if partners or fates:
            super().deliver(*partners, fates=fates, room=room)
        elif Drain(seconds=AT_MOST, linger=False).run().again:
            raise WrongError("it ends", "what is due never gets less")

    @act
    def deliver_meanwhile(self, drains: int = 1):
        """Some drains begin, each with a connection of its own. The next acts happen beside the drains."""
        for _ in range(drains):
            self.drains.append(threading.Thread(target=self._drain))
            self.drains[-1].start()

    @act
    def fault(self, fate: str, path: str, count: int = 1):
        """The next answers there go wrong, whoever calls."""
        if path == "mail":
            self.mail_fates.extend([fate] * count)
        else:
            self.wire.show(fate, path, count)

    def _drain(self) -> None:
        try:
            Drain(seconds=AT_MOST, linger=False).run()
        except BaseException as error:
            self.broke.append(error)
        finally:
            connections.close_all()

    def _claim(self, partners, room):
        flights = super()._claim(partners, room)
        self.in_hand |= {flight.work.key for flight in flights if flight.work.mail}
        return flights

    def statements(self, *call):
        try:
            return super().statements(*call)
        except Died:
            self.died_at = min(self.died_at, len(MailServer.taken))
            raise

    def sweep(self):
        """As in the model; what a minute's sweep would have told meanwhile is told too."""
        super().sweep()
        tell_missed(now=timezone.now(), within=datetime.timedelta(days=4000))

    def judge(self, stuck: list | None = None) -> None:
        super().judge(stuck)
        if lines := list(self.mails_wrong()):
            raise WrongError("mails", *lines)

    def mails_wrong(self) -> Iterator[str]:
        """Who gets a mail that went out has got it, and twice only where a worker may have died over it."""
        taken = defaultdict(list)
        for place, one in enumerate(MailServer.taken):
            taken[one].append(place)
        for row in Mail.objects.filter(state=Mail.State.DONE):
            for address in {*row.recipients} - {*row.fate.get("refused", ())}:
                if (row.message_id, address) not in taken:
                    yield f"{row.kind} counts as sent to {address}, and was not"
        for (message_id, address), places in taken.items():
            if places[1:] and message_id not in self.in_hand and places[1] < self.died_at:
                yield f"{message_id} went twice to {address}"

    def note_books(self) -> None:
        """Nothing: what happens beside a drain has no place in the history's order."""

    def gather(self) -> None:
        """Waits for the drains that are under way, and for the partners: before much time passes on our clock."""
        for thread in self.drains:
            thread.join()
        self.drains.clear()
        self.wire.settle()
        if self.broke:
            raise WrongError("a drain broke", *map(repr, self.broke))

    def calm(self, *, days: bool = False) -> None:
        self.wire.heal()
        self.gather()
        super().calm(days=days)

    def watch_claim(self, *claimed) -> None:
        """The model counts what is called and answered; here others call too. `look_at_the_air` looks instead."""

    def watch_recording(self, outcomes, record) -> None:
        record()

    # --- staff

    resend = _beside_drains("resend", "the page says what happens")
    take_on = _beside_drains("take_on", "an owner changes nothing")
    ask = _beside_drains("ask", "asked: asking does something")

    # --- BBOSS and BPM

    def _send(self, content: dict, call: str = "") -> str:
        number = content["OrderNum"]
        reply = self.processes.post(content, **({"transIDO": call} if call else {}))
        code, kept = reply["response"]["rspCode"], self.accepted.get(number)
        if code == "20000":
            raise WrongError("taken at once", number, reply)
        if code != "00000":
            raise OrderError(f"{code} {reply['response'].get('rspDesc')} {reply.get('result')}")
        if is_withdrawal(content):
            return ""
        if kept and reply["transIDH"] != kept:
            raise WrongError("a repeat is answered as at first", number, kept, reply)
        if not kept:
            self.contents[number], self.accepted[number], self.calls[number] = (
                content,
                reply["transIDH"],
                reply["transIDO"],
            )
        return "known" if kept else ""

    @act
    def callback(self, number: str, result: str = "pass", record: str = "r1", *, finished: bool = True):
        """BPM tells what its people decided."""
        answer = self.processes.callback(approval(number, recordId=record, result=result, finished=finished))
        if answer.status_code >= 500:
            raise WrongError("taken at once", number, answer.text)
        if answer.status_code != 200:
            raise OrderError(f"{answer.status_code} {answer.text}")

    # --- files

    @act
    def files_come(self, number: str):
        """The order's files are there from now on, and are looked at again."""
        (settings.ATTACHMENT_DIR / FILE.format(number)).write_bytes(BOOK)
        super().files_come(number)
