"""The demo's output: a line for each finished thing, then what each order caused."""

import json
import sys
from pathlib import Path

from project.demo.environment import ROOT


def done(text: str, *, seconds: float | None = None) -> None:
    """Prints one line of progress."""
    clear()
    print(text if seconds is None else f"{text} ({seconds:.1f} s)")


def show_progress(what: str, seconds: float) -> None:
    """Prints what the demo waits for, on a terminal only. The next line replaces it."""
    if sys.stdout.isatty():
        print(f"\r\033[K  ... {what} ({seconds:.0f} s)", end="", flush=True)


def clear() -> None:
    """Removes what `show_progress` printed."""
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)


def print_case(result) -> None:
    """Prints a case: its orders with records, BPM process and schedule, then the verdict."""
    print(f"\n== case {result.case['number']}: {result.case['title']}")
    for standing in result.standings:
        for line in order_lines(standing, result.partners):
            print(line)
    for line in result.differences or ["as expected"]:
        print(f"   {line if line == 'as expected' else 'NOT AS EXPECTED: ' + line}")


def order_lines(standing: dict, partners: dict) -> list[str]:
    role = {True: " (first)", False: " (subsequent)", None: ""}[standing["first"]]
    lines = [f"   {standing['order']}  {standing['kind']}{role}  {standing['state']}"]
    lines += [record_line(row, partners["records"]) for row in standing["billing"]]
    lines += [process_line(row) for row in partners["processes"] if row["code"] == standing["order"]]
    lines += [f"      approval  {row['node']} {row['result']} by {row['operator']}" for row in standing["approvals"]]
    if standing["schedule"]:
        lines.append(f"      schedule  {standing['schedule']['name']} at {standing['schedule']['next_run']}")
    return lines


def record_line(row: dict, records: list[dict]) -> str:
    """A billing record as we know it, with the times at the big-data side."""
    names = ("jobId", "productId", "domain")
    held = next((record for record in records if all(record[name] == row[name] for name in names)), None)
    times = f"createTime {held['createTime']}, cancelTime {held['cancelTime']}" if held else "not at the big-data side"
    kind = {"1": "trial", "2": "commercial"}[row["infoType"]]
    return f"      billing   {row['state']:9} {kind:10} {row['domain']}, product {row['productId']}, {times}"


def process_line(process: dict) -> str:
    """A BPM process with the important parts of its message."""
    body = process["body"]
    data = body["data"].get("tyywrwlcdx", body["data"])
    flow = body.get("flowKey") or f"process type {body['processType']}"
    province = data.get("province") or body["province"]
    return (
        f"      BPM       {process['processId']} {flow}, {data['cdn_type']}, {province}, {', '.join(data['domains'])}"
    )


def summarize(results: list) -> bool:
    """Prints the verdict on all cases. Returns whether all went as expected."""
    good = sum(not result.differences for result in results)
    print(f"\n{good} of {len(results)} cases came out as expected")
    return good == len(results)


def tell_addresses(desk) -> None:
    """Prints where to look further."""
    environment = desk.children.environment
    user, password = environment["DJANGO_SUPERUSER_USERNAME"], environment["DJANGO_SUPERUSER_PASSWORD"]
    print(f"\nadmin     {desk.web}/admin/   user {user}, password {password}")
    print(f"API       {desk.web}/api/docs")
    print(f"partners  {desk.sandbox}/   (what BPM and big data hold, fault switches)")
    print(f"logs      {desk.children.folder}/*.log   (mails are in worker.log)")


def tell_trying(desk, trying: tuple[Path, str, str], file: Path) -> None:
    """Prints three commands for another terminal."""
    posted, refused, approved = trying
    file, posted = (path.relative_to(ROOT) for path in (file, posted))
    print("\nTo try, in another terminal, here in the checkout:")
    print(f"  set -a; . {file}; set +a")
    print(f"  post an order   .venv/bin/python manage.py send_order {posted}")
    for words, number, result in (("refuse one   ", refused, "reject"), ("approve one  ", approved, "pass")):
        body = json.dumps({"code": number, "result": result})
        print(f"  {words}   curl -sS {desk.sandbox}/approve -d '{body}'")
    print(f"Then: .venv/bin/python manage.py show {refused}, or the sandbox's page, which has buttons for it.")
