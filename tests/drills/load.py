"""BBOSS and BPM send calls all the time: orders of all kinds, each sent again until it is answered."""

import random
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import requests

from integrations.bboss.sample_envelope import signed_envelope
from tests.harness.desk import ProcessDesk
from tests.tools.chaos.aftermath import Aftermath
from tests.tools.chaos.world import SHANGHAI, World

HANG = 40.0  # seconds after which a caller gives up; a call that takes so long is a fault in any case
BBOSS_WAITS = 10.0  # seconds within which BBOSS has its answer, whatever state the database is in
AGAIN_AFTER = 1.0
ANSWERED = {"00000", "20505", "30000"}  # accepted, or refused for good; orders of `World` get no other answers
OUR_FAULT = (503, "20000")


@dataclass(frozen=True)
class Answer:
    """The result of a call: when it began (monotonic), its seconds, the HTTP status (0 without an answer), and the
    rspCode."""

    at: float
    seconds: float
    status: int
    code: str


class Load(Aftermath):
    """Posts orders from its own threads while it runs. Afterwards it waits until all orders have ended
    (`Aftermath`)."""

    def __init__(self, desk: ProcessDesk, *, seed: int, webs: Iterable[str] = ("web",), posters: int = 3):
        chance = random.Random(seed)
        super().__init__(desk, World(random.Random(chance.random()), desk.now().astimezone(SHANGHAI).date()))
        self.webs, self.posters, self.turn = list(webs), posters, chance
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads: list[threading.Thread] = []
        self.answers: list[Answer] = []
        self.broke: list[BaseException] = []

    # --- while it runs

    def start(self) -> None:
        self.stopping.clear()
        self.threads = [threading.Thread(target=self._post_all, daemon=True) for _ in range(self.posters)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Waits until each call that was begun has its answer. Raises the first error of a thread."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.threads = []
        if self.broke:
            raise self.broke[0]

    def since(self, moment: float, until: float = float("inf")) -> list[Answer]:
        """Returns the answers to calls that began in this period."""
        with self.lock:
            return [answer for answer in self.answers if moment <= answer.at < until]

    def _post_all(self) -> None:
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                with self.lock:
                    record = self.world.callback() if self.turn.random() < 0.15 else None
                    content = None if record else self.world.next()
                if record:
                    self.callbacks.append(record)
                    self.send_callback(record)
                else:
                    self.order(content)
                self.stopping.wait(max(0.0, AGAIN_AFTER - (time.monotonic() - began)))
        except BaseException as error:
            self.broke.append(error)

    def interrupted_order(self, web: str) -> None:
        """Sends an order to a process that is about to end, and again to the other processes until it is answered."""
        with self.lock:
            content = self.world.next()
        number = uuid.uuid4().hex
        self.call(content, number, web)
        self.order(content, number)

    def order(self, content: dict, number: str = "") -> None:
        """Sends an order as BBOSS does: the same transaction is sent again until it is answered."""
        number = number or uuid.uuid4().hex
        end = time.monotonic() + 300
        while time.monotonic() < end:
            code, reply = self.call(content, number)
            if code in ANSWERED:
                break
            time.sleep(AGAIN_AFTER)
        else:
            raise AssertionError(f"no answer for {content}; last: {code} {reply}\n{self.desk.logs()}")
        if code == "00000" and content.get("BackFlag") != "1":
            self.accepted[content["OrderNum"]] = reply["transIDH"]

    def call(self, content: dict, number: str, web: str = "") -> tuple[str, dict]:
        """Posts once, and returns (rspCode, the reply). Without a reply the code is the text of the error."""
        envelope = signed_envelope(content, now=self.desk.now(), trans_ido=number)
        url = f"{self.desk.url_of(web or self.turn.choice(self.webs))}/api/bboss/orders"
        began, status, reply = time.monotonic(), 0, {}
        try:
            response = requests.post(url, json=envelope, timeout=HANG)
            status, reply = response.status_code, response.json()
            code = reply["response"]["rspCode"]
        except (requests.RequestException, ValueError, KeyError) as error:
            code = repr(error)
        with self.lock:
            self.answers.append(Answer(began, time.monotonic() - began, status, code))
        return code, reply
