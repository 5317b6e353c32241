"""One drill: the database goes away under load and comes back. The drill checks callers, /readyz, logs and
processes."""

import contextlib
import datetime
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import requests

from tests.drills.load import BBOSS_WAITS, OUR_FAULT, Answer
from tests.drills.outages import Outage
from tests.drills.stage import Stage
from tests.harness.desk import ProcessDesk

READY_SAYS_SO = 30.0  # seconds
RECOVERED = 60.0
ENDED = 40.0
LONGEST = 45.0  # an outage ends after this time even if nobody noticed it
SLACK = 2.0  # for other work of this machine: a deadline counts from the moment when a thread gets its turn
SEEN_ENOUGH = 4  # this many answers to calls that began while the database was away
LAST_LINE, NUMBER = re.compile(r"[A-Za-z_][A-Za-z_.]*(:|$)"), re.compile(r"\b([0-9a-f]{6,}|[0-9]+)\b")
SPARE = {"web": "web-spare", "worker": "worker-spare"}


@dataclass
class Found:
    """The findings of a drill: figures by name, and faults."""

    figures: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, true: object, what: str) -> None:
        if not true:
            self.wrong.append(what)

    def within(self, name: str, seconds: float | None, most: float) -> None:
        """Notes a figure. It is a fault if the event never happened or took too long."""
        self.figures[name] = "never" if seconds is None else f"{seconds:.1f} s"
        self.expect(
            seconds is not None and seconds <= most + SLACK, f"{name}: {self.figures[name]}, not within {most:g} s"
        )


class Logs:
    """The lines of the web and worker processes since this object was made."""

    def __init__(self, desk: ProcessDesk):
        self.desk = desk
        self.began = {path: path.stat().st_size for path in self._paths()}

    def _paths(self) -> list:
        return [path for path in self.desk.folder.glob("*.log") if path.stem.startswith(("web", "worker"))]

    def written(self) -> str:
        found = []
        for path in self._paths():
            with path.open("rb") as file:
                file.seek(self.began.get(path, 0))
                found.append(file.read().decode(errors="replace"))
        return "\n".join(found)

    def tracebacks(self) -> list[str]:
        """Returns each traceback with the line before it. Equal tracebacks are returned once, with their number."""
        lines, found = self.written().splitlines(), Counter()
        for number, line in enumerate(lines):
            before = lines[number - 1] if number else ""
            if line.startswith("Traceback") and before:  # a traceback after an empty line continues the one before it
                end = next((end for end in lines[number + 1 :] if LAST_LINE.match(end)), "")
                found[f"{NUMBER.sub('#', before)} ... {NUMBER.sub('#', end)}"] += 1
        return [f"traceback, {count} times: {text}" for text, count in found.items()]


class Readiness:
    """Requests /readyz all the time. A request never lasts longer than a load balancer would wait."""

    def __init__(self, url: str):
        self.url, self.over, self.seen = f"{url}/readyz", threading.Event(), []
        self.thread = threading.Thread(target=self._ask_all, daemon=True)

    def __enter__(self) -> "Readiness":
        self.thread.start()
        return self

    def __exit__(self, *exc) -> None:
        self.over.set()
        self.thread.join()

    def _ask_all(self) -> None:
        while not self.over.wait(0.3):
            status = 0
            with contextlib.suppress(requests.RequestException):
                status = requests.get(self.url, timeout=READY_SAYS_SO).status_code
            self.seen.append((time.monotonic(), status))

    def first(self, status: int, after: float) -> float | None:
        """Returns the seconds from `after` until /readyz first answered this status."""
        return next((at - after for at, said in self.seen if at >= after and said == status), None)


def play(stage: Stage, outage: Outage, *, seconds: float) -> Found:
    """Plays an outage of at least so many seconds. The load runs before, during and after the outage."""
    found, logs = Found(), Logs(stage.desk)
    if outage.stops:
        start_spares(stage)
    mains = {name: stage.desk.processes[name] for name in ("web", "worker")}
    began = time.monotonic()
    wait_for_it(lambda: [one for one in stage.load.since(began) if one.code == "00000"], RECOVERED)
    with Readiness(stage.desk.web_url) as ready:
        with outage.play(stage):
            away = time.monotonic()
            ended = stop_spares(stage) if outage.stops else {}
            wait_for_it(lambda: _seen_enough(stage, outage, ready, away), LONGEST, least=seconds)
            back = time.monotonic()
        mended = time.monotonic()
        judge_recovery(found, stage, ready, mended)
        judge_outage(found, outage, ready, stage.load.since(away - BBOSS_WAITS, mended), away, back)
    for name, took in ended.items():
        found.within(f"SIGTERM ends {name} after", took, ENDED)
    for name, process in mains.items():
        found.expect(process.poll() is None, f"{name} ended with {process.poll()}: it did not recover by itself")
    found.figures["away"] = f"{mended - away:.0f} s"
    found.wrong += logs.tracebacks()
    return found


def _seen_enough(stage: Stage, outage: Outage, ready: Readiness, away: float) -> bool:
    if not outage.least:
        return True
    refused = [one for one in stage.load.since(away) if (one.status, one.code) == OUR_FAULT]
    return len(refused) >= SEEN_ENOUGH and (not outage.told or ready.first(503, away) is not None)


def judge_outage(
    found: Found, outage: Outage, ready: Readiness, answers: list[Answer], away: float, back: float
) -> None:
    """Judges the answers to BBOSS and to the load balancer. `answers` are the answers to calls that began before the
    database was back."""
    meanwhile = [one for one in answers if one.at >= away]
    refused = [one for one in meanwhile if (one.status, one.code) == OUR_FAULT]
    found.figures["answered 503"] = f"{len(refused)} of {len(meanwhile)}"
    found.within("slowest answer", max((one.seconds for one in answers), default=0), BBOSS_WAITS)
    broken = [one for one in answers if one.status != 200 and (one.status, one.code) != OUR_FAULT]
    found.expect(not broken, f"answers that are no 503 with 20000: {broken[:3]}")
    served = [one for one in meanwhile if one.status == 200 and one.at + one.seconds < back]
    found.expect(not (outage.whole and served), f"served without a database: {served[:3]}")
    if outage.least:
        found.expect(refused, "no call was answered 503: the outage was none")
    if outage.least and outage.told:
        found.within("/readyz says so after", ready.first(503, away), READY_SAYS_SO)


def judge_recovery(found: Found, stage: Stage, ready: Readiness, mended: float) -> None:
    """Checks that web and worker processes work again without help, and that /readyz reports it."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=time.monotonic() - mended)
    done = f"SELECT count(*) FROM orders_dispatch WHERE done_at > '{moment:%Y-%m-%d %H:%M:%S.%f}+00'"
    served = delivered = None
    while time.monotonic() - mended < RECOVERED + 3 * SLACK:
        good = [one.at + one.seconds - mended for one in stage.load.since(mended) if one.code == "00000"]
        served = min(good, default=None)
        if delivered is None and stage.primary.sql(done, name=stage.desk.name)[0][0]:
            delivered = time.monotonic() - mended
        if None not in (served, delivered, ready.first(200, mended)):
            break
        time.sleep(0.2)
    found.within("BBOSS served after", served, RECOVERED)
    found.within("worker delivers after", delivered, RECOVERED)
    found.within("/readyz well after", ready.first(200, mended), RECOVERED)


# --- SIGTERM while the database is frozen


def start_spares(stage: Stage) -> None:
    """Starts one more web process and one more worker process, which will be told to end."""
    stage.desk.start_web(SPARE["web"])
    stage.desk.start_worker(SPARE["worker"])
    stage.desk.cluster(SPARE["worker"])


def stop_spares(stage: Stage) -> dict[str, float | None]:
    """Tells the spare processes to end while a call is under way. Returns {name: the seconds that the process took, or
    None if it did not end}."""
    call = threading.Thread(target=stage.load.interrupted_order, args=(SPARE["web"],), daemon=True)
    call.start()
    time.sleep(3)
    began = time.monotonic()
    processes = {name: stage.desk.processes[spare] for name, spare in SPARE.items()}
    for process in processes.values():
        process.send_signal(signal.SIGTERM)
    ended: dict[str, float | None] = dict.fromkeys(SPARE)
    while None in ended.values() and time.monotonic() - began < ENDED + 3 * SLACK:
        for name, process in processes.items():
            if ended[name] is None and process.poll() is not None:
                ended[name] = time.monotonic() - began
        time.sleep(0.1)
    for spare in SPARE.values():
        stage.desk.stop(spare)
    return ended


def wait_for_it(true, seconds: float, *, least: float = 0) -> None:
    """Waits at least `least` seconds, and at most `seconds` until `true()` is true. It is no error if it never is,
    because that may be a finding."""
    began = time.monotonic()
    while time.monotonic() - began < least or (time.monotonic() - began < seconds and not true()):
        time.sleep(0.2)
