"""The model's desk (tests.model.world) on a database that other processes use too, with the partners' real process.

Messages and callbacks go through the real endpoints of the web process. A drain is a run that delivers everything that
is due. Drains are real here: they have threads, and may continue while other acts happen. One more worker delivers in
the single stages of the model: claim, call, land and die.
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

AT_MOST = 60  # seconds; a drain that takes longer counts as endless
SHORT = 5  # seconds; a shorter move of the clock does not wait for drains
BOOK = book()


class Clock:
    """The clock of all processes (tests/clock_site). It stands still, and moves only by `shift`."""

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
    """Returns the model's act of this name. While drains run, the returned act ignores errors of this kind.

    The act compares the database before and after. Drains may change the database in between.
    """

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
    """Claims steps as a worker does. Then checks the calls in progress of all workers (contract 7.2).

    Raises WrongError if two calls of an unproven kind are in progress.
    """
    works = claim(**how)
    if asks() and any(work.step in KINDS for work in works):
        sending = Dispatch.objects.filter(state="sending", next_try_at__gt=how["now"]).values_list("pk", flat=True)
        flying = Counter(row.kind for row in steps_of(list(sending)).values())
        if found := [kind for kind in CALLS if flying[kind] > 1 and not is_proven(kind)]:
            raise WrongError("one of an unproven kind is in the air", *found)
    return works


class SharedDesk(Desk):
    """A desk that several players use. Each player uses separate order numbers."""

    def __init__(self, clock, wire, complaints, processes):
        super().__init__(clock, wire, complaints)
        self.processes = processes
        self.drains: list[threading.Thread] = []
        self.broke: list[BaseException] = []
        self.mail_fates = MailServer.fates
        self.in_hand: set[str] = set()  # mails that the worker of single stages claimed; it may die or be late
        self.died_at = float("inf")  # number of mails sent before a process was first killed
        clock.before_a_move = self.gather

    # --- the worker

    @act
    def deliver(self, *partners: str, fates: tuple[str, ...] = (), room: int = 50):
        """Delivers everything that is due.

        Without partners and outcomes, a real drain delivers to all. Otherwise the model's worker delivers in single
        stages.
        """
        if partners or fates:
            super().deliver(*partners, fates=fates, room=room)
        elif Drain(seconds=AT_MOST, linger=False).run().again:
            raise WrongError("it ends", "what is due never gets less")

    @act
    def deliver_meanwhile(self, drains: int = 1):
        """Starts drains in threads, each with a separate connection. The next acts happen while the drains run."""
        for _ in range(drains):
            self.drains.append(threading.Thread(target=self._drain))
            self.drains[-1].start()

    @act
    def fault(self, fate: str, path: str, count: int = 1):
        """Sets a fault for the next answers at this path, whoever calls. The path `mail` is the mail server."""
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
        """Does the work of the model's sweep.

        Also writes the mails that the sweep of each minute would have written in the meantime.
        """
        super().sweep()
        tell_missed(now=timezone.now(), within=datetime.timedelta(days=4000))

    def judge(self, stuck: list | None = None) -> None:
        super().judge(stuck)
        if lines := list(self.mails_wrong()):
            raise WrongError("mails", *lines)

    def mails_wrong(self) -> Iterator[str]:
        """Yields the errors of mails.

        A mail that counts as sent must have reached its recipients. A mail may arrive twice only if a worker may have
        died while it sent the mail.
        """
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
        """Does nothing, because drains may run at the same time.

        So nobody knows which events of the history belong to the partner's present records.
        """

    def gather(self) -> None:
        """Waits for the running drains and for the partners. Raises WrongError if a drain failed.

        Must be called before the desk's clock moves far.
        """
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
        """Does nothing. The model counts calls and answers, but here other workers call too.

        `claim_and_look` checks the claims instead.
        """

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
        """Sends BPM's decision about an order to the web process."""
        answer = self.processes.callback(approval(number, recordId=record, result=result, finished=finished))
        if answer.status_code >= 500:
            raise WrongError("taken at once", number, answer.text)
        if answer.status_code != 200:
            raise OrderError(f"{answer.status_code} {answer.text}")

    # --- files

    @act
    def files_come(self, number: str):
        """Creates the order's files, and checks the files again."""
        (settings.ATTACHMENT_DIR / FILE.format(number)).write_bytes(BOOK)
        super().files_come(number)
