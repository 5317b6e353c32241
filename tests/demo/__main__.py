"""`python -m tests.demo` (`make demo`): starts everything, runs the cases, prints their results and keeps running.

With DEMO_EXIT=1 it ends after the cases. The exit code is 0 only if all cases went as expected.
"""

import contextlib
import json
import os
import signal
import sys
import time

from tests.demo.cases import load_cases, orders_to_try, unexpected
from tests.demo.place import FILE, PASSWORD, USER, demo_desk, stage, write_file
from tests.harness.children import ROOT, TAIL
from tests.harness.desk import ProcessDesk
from tests.harness.waiting import NotYetError

PERSON = {"username": USER, "password": PASSWORD, "display_name": "王敏"}


def main() -> int:
    """Runs the demo and returns the exit code."""
    sys.stdout.reconfigure(line_buffering=True)  # so that each line is written at once, also into a pipe
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_in_order)
    try:
        with demo_desk() as desk:
            try:
                return run_demo(desk)
            finally:
                print("ending the processes")
    except (NotYetError, RuntimeError) as error:
        print(f"demo: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped before the end")
    return 1


def end_in_order(number: int, frame: object) -> None:
    """Ends the demo on Ctrl-C, SIGTERM or a closed terminal. A second signal is ignored while the demo ends its
    processes.
    """
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def run_demo(desk: ProcessDesk) -> int:
    """Runs the cases and prints their results. Keeps running unless DEMO_EXIT is set. Returns the exit code."""
    with stage("an account and a worker"):
        desk.manage("shell", "-v0", "-c", f"from project.models import User; User.objects.create_superuser(**{PERSON})")
        desk.start_worker()
        desk.until(desk.heartbeats, what="a worker's sign of life")
    print(f"partners' sandbox at {desk.sandbox_url}, web at {desk.web_url}, database in {desk.folder}")
    write_file(desk)
    print(f"its settings are in {FILE.relative_to(ROOT)}")
    cases = load_cases()
    good = sum([play(desk, case) for case in cases])
    print(f"\n{good} of {len(cases)} cases came out as expected\n")
    tell_trying(desk)
    if os.environ.get("DEMO_EXIT", "") in ("", "0"):
        print("\nCtrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            stay(desk)
    return int(good < len(cases))


def play(desk: ProcessDesk, case: dict) -> bool:
    """Runs a case over HTTP, prints the result, and returns whether it is what the case expects."""
    number, expect = case["content"]["OrderNum"], case["expect"]
    print(f"\ncase {case['number']}: {case['title']}")
    for contact in case.get("contacts", []):
        desk.add_contact(contact)
    desk.add_files(case.get("files", []))
    for content in case.get("setup", []):
        send(desk, content, {"1": "trialing", "2": "applied"}[content["OrderType"]])
    send(desk, case["content"], *(["scheduled"] if "schedule" in expect else ["active", "awaiting_approval"]))
    if "approval" in expect:
        desk.approve(number)
        desk.until_state(number, "active")
        print(f"  {number} is approved by BPM")
    print(desk.manage("show", number).stdout, end="")
    standings = [desk.show(content["OrderNum"]) for content in (*case.get("setup", []), case["content"])]
    differences = unexpected(case, standings, desk.partners())
    print("\n".join(f"NOT AS EXPECTED: {line}" for line in differences) or "as expected")
    return not differences


def send(desk: ProcessDesk, content: dict, *states: str) -> None:
    """Posts an order as BBOSS does, and waits until it is in one of these states and no step is under way."""
    began, reply = time.monotonic(), desk.post(content)
    if reply["response"]["rspCode"] != "00000":
        raise NotYetError(f"{content['OrderNum']} is not accepted: {reply}")
    kind, state = desk.until_state(content["OrderNum"], *states)
    print(f"  {content['OrderNum']} {kind} is {state} ({time.monotonic() - began:.1f} s)")


def tell_trying(desk: ProcessDesk) -> None:
    """Prepares a file to post, an order to reject and one to approve. Prints the addresses and the three commands."""
    trial, *waiting = orders_to_try()
    for content in waiting:
        send(desk, content, "awaiting_approval")
    posted = desk.folder / f"{trial['OrderNum']}.json"
    posted.write_text(json.dumps(trial, ensure_ascii=False, indent=1), encoding="utf-8")
    posted = posted.relative_to(ROOT)
    refused, approved = (content["OrderNum"] for content in waiting)
    print(f"\nadmin     {desk.web_url}/admin/   user {USER}, password {PASSWORD}")
    print(f"API       {desk.web_url}/api/docs")
    print(f"partners  {desk.sandbox_url}/   (what BPM and big data hold, fault switches)")
    print(f"logs      {desk.folder}/*.log   (mails are in worker.log)")
    print("\nTo try, in another terminal, here in the checkout:")
    print(f"  set -a; . {FILE.relative_to(ROOT)}; set +a")
    print(f"  post an order   .venv/bin/python manage.py send_order {posted}")
    for words, number, result in (("refuse one   ", refused, "reject"), ("approve one  ", approved, "pass")):
        body = json.dumps({"code": number, "result": result})
        print(f"  {words}   curl -sS {desk.sandbox_url}/approve -d '{body}'")
    print(f"Then: .venv/bin/python manage.py show {refused}, or the sandbox's page, which has buttons for it.")


def stay(desk: ProcessDesk) -> None:
    """Waits for Ctrl-C. Raises RuntimeError if a process of the desk ends."""
    while True:
        for name, process in desk.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with code {process.returncode}\n{desk.log(name)[-TAIL:]}")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
