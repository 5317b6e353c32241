"""Plays a case: its preparation, its order and BPM's approval. Then compares with what the case expects."""

import time
from dataclasses import dataclass
from pathlib import Path

from project.demo.cases import make_file, orders_to_try
from project.demo.compare import unexpected
from project.demo.desk import Desk
from project.demo.report import done

REACHED_WITHIN = 60
STUCK = {"held", "failed", "rejected", "compensating", "withdrawn"}
UNDER_WAY = {"due", "sending", "retrying"}


@dataclass(frozen=True)
class CaseResult:
    """The result of a case: the status of its orders, what the partners hold, and what is not as expected."""

    case: dict
    standings: list[dict]
    partners: dict
    differences: list[str]


def play(desk: Desk, case: dict) -> CaseResult:
    """Plays one case over HTTP. Raises DemoError if the desk does not take an order."""
    done(f"case {case['number']}: {case['title']}")
    prepare(desk, case)
    for content in case.get("setup", []):
        send_order(desk, content)
    send_order(desk, case["content"])
    if "approval" in case["expect"]:
        approve_order(desk, case["content"]["OrderNum"])
    return read_result(desk, case)


def prepare(desk: Desk, case: dict) -> None:
    """Adds contacts and info-security files."""
    for contact in case.get("contacts", []):
        desk.add_contact(contact)
        done(f"  contact {contact['name']} for {contact['attribution']}")
    for name in case.get("files", []):
        make_file(desk.attachments / name)
        done(f"  file {name}")


def prepare_trying(desk: Desk) -> tuple[Path, str, str]:
    """Prepares what a person can try: a file to post, an order to reject and one to approve, both waiting for BPM."""
    trial, *waiting = orders_to_try()
    print()
    for content in waiting:
        send_order(desk, content)
    return desk.write(trial), *(content["OrderNum"] for content in waiting)


def send_order(desk: Desk, content: dict) -> None:
    """Sends an order and waits until its possible steps are done."""
    began = time.monotonic()
    desk.send(content)
    wait_until_settled(desk, content["OrderNum"], "accepted", began)


def approve_order(desk: Desk, number: str) -> None:
    """Has BPM approve an order, and waits until what follows is done."""
    began = time.monotonic()
    desk.approve(number)
    wait_until_settled(desk, number, "approved by BPM", began)


def wait_until_settled(desk: Desk, number: str, what: str, began: float) -> None:
    """Waits until nothing happens to the order any more, and prints its state."""
    standing = desk.children.wait_until(
        lambda: at_rest(desk.standing(number)), what=f"{number} to come to rest", seconds=REACHED_WITHIN
    )
    state = standing["state"]
    done(f"  {number} {what}, {standing['kind']} is {state}", seconds=time.monotonic() - began)


def at_rest(standing: dict) -> dict | None:
    """The status, if nothing is under way any more."""
    moving = standing["state"] == "in_progress" or any(step["status"] in UNDER_WAY for step in standing["steps"])
    return None if moving and standing["state"] not in STUCK else standing


def read_result(desk: Desk, case: dict) -> CaseResult:
    """The present status of all orders of the case."""
    numbers = [content["OrderNum"] for content in case.get("setup", [])]
    standings = [desk.standing(number) for number in [*numbers, case["content"]["OrderNum"]]]
    partners = desk.partners()
    return CaseResult(case, standings, partners, unexpected(case, standings, partners))
