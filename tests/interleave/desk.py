"""The model's desk (tests.model.world) at work on a database that others use too, before the partners' real process.

Messages and callbacks go through the real endpoints of the web process. What is due is delivered by real drains with
threads, which may go on while something else happens. The stages of one more worker (claim, call, land, die) are the
model's.
"""

import datetime
import threading

from django.conf import settings
from django.db import connections
from django.utils import timezone

from integrations.bboss.content import is_withdrawal
from integrations.delivery.loop import Drain
from orders.errors import OrderError
from tests.files.books import book
from tests.model.acts import WrongError, act
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


class SharedDesk(Desk):
    """One desk of several people: each uses numbers of their own."""

    def __init__(self, clock, wire, complaints, processes):
        super().__init__(clock, wire, complaints)
        self.processes = processes
        self.drains: list[threading.Thread] = []
        self.broke: list[BaseException] = []
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
        """Some drains begin, each with a connection of its own. What comes next happens beside them."""
        for _ in range(drains):
            self.drains.append(threading.Thread(target=self._drain))
            self.drains[-1].start()

    @act
    def fault(self, fate: str, path: str, count: int = 1):
        """The next answers there go wrong, whoever calls."""
        self.wire.show(fate, path, count)

    def _drain(self) -> None:
        try:
            Drain(seconds=AT_MOST, linger=False).run()
        except BaseException as error:
            self.broke.append(error)
        finally:
            connections.close_all()

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

    # --- staff

    @act
    def resend(self, *numbers: str, **more):
        """Beside drains a dry run may say another thing than what is done a moment later."""
        beside = any(thread.is_alive() for thread in self.drains)
        try:
            return super().resend(*numbers, **more)
        except WrongError as error:
            if not beside or error.kind != "the dry run says what happens":
                raise
            return "done beside drains"

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
        answer = self.processes.callback(
            {
                "recordId": record,
                "code": number,
                "node": "sa-review",
                "nodeName": "政企SA审批",
                "result": result,
                "operator": "sa",
                "opinion": "",
                "time": "2023-09-20 19:19:10",
                "finished": finished,
            }
        )
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
