"""Plays a case: what comes before it, its order, BPM's approval; then compares with what the case expects."""

import time
from dataclasses import dataclass
from pathlib import Path

from project.demo.cases import make_file, orders_to_try
from project.demo.compare import differences
from project.demo.desk import Desk
from project.demo.report import done

REACHED_WITHIN = 60
STUCK = {"held", "failed", "rejected", "compensating", "withdrawn"}
UNDER_WAY = {"due", "sending", "retrying"}


@dataclass(frozen=True)
class Result:
    """A case that was played: where its orders stand, what the partners hold, and what is not as expected."""

    case: dict
    standings: list[dict]
    partners: dict
    differences: list[str]


def play(desk: Desk, case: dict) -> Result:
    """Plays one case over HTTP. Raises DemoError where the desk does not take an order."""
    done(f"case {case['number']}: {case['title']}")
    prepare(desk, case)
    for content in case.get("setup", []):
        send(desk, content)
    send(desk, case["content"])
    if "approval" in case["expect"]:
        approve(desk, case["content"]["OrderNum"])
    return look(desk, case)


def prepare(desk: Desk, case: dict) -> None:
    """Contacts and info-security files."""
    for contact in case.get("contacts", []):
        desk.add_contact(contact)
        done(f"  contact {contact['name']} for {contact['attribution']}")
    for name in case.get("files", []):
        make_file(desk.attachments / name)
        done(f"  file {name}")


def prepare_trying(desk: Desk) -> tuple[Path, str, str]:
    """For somebody to try: a file to post, an order to refuse and one to approve, both waiting for BPM."""
    trial, *waiting = orders_to_try()
    print()
    for content in waiting:
        send(desk, content)
    return desk.write(trial), *(content["OrderNum"] for content in waiting)


def send(desk: Desk, content: dict) -> None:
    """An order, until its steps have been carried out as far as they can be now."""
    began = time.monotonic()
    desk.send(content)
    settle(desk, content["OrderNum"], "accepted", began)


def approve(desk: Desk, number: str) -> None:
    """BPM's approval, until what it sets going is done."""
    began = time.monotonic()
    desk.approve(number)
    settle(desk, number, "approved by BPM", began)


def settle(desk: Desk, number: str, what: str, began: float) -> None:
    """Waits until the order has come to rest, and says where."""
    standing = desk.children.wait_until(
        lambda: at_rest(desk.standing(number)), what=f"{number} to come to rest", seconds=REACHED_WITHIN
    )
    state = standing["state"]
    done(f"  {number} {what}, {standing['kind']} is {state}", seconds=time.monotonic() - began)


def at_rest(standing: dict) -> dict | None:
    """The standing, if nothing is under way any more."""
    moving = standing["state"] == "in_progress" or any(step["status"] in UNDER_WAY for step in standing["steps"])
    return None if moving and standing["state"] not in STUCK else standing


def look(desk: Desk, case: dict) -> Result:
    """Where all orders of the case stand now."""
    numbers = [content["OrderNum"] for content in case.get("setup", [])]
    standings = [desk.standing(number) for number in [*numbers, case["content"]["OrderNum"]]]
    partners = desk.partners()
    return Result(case, standings, partners, differences(case, standings, partners))
