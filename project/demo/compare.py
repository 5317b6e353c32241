"""Compares what a case caused with what it expects. Pure: an empty list means that all is as expected."""

from collections.abc import Iterator

MOMENTS = {"createTime", "cancelTime", "createDate", "create_time", "businessStartTime"}
STARTS = {"createTime", "businessStartTime"}  # known in advance if the business starts on a later day


def unexpected(case: dict, standings: list[dict], partners: dict) -> list[str]:
    """The differences, one line each. Times are left out, except those of a start on a later day."""
    moments = MOMENTS - STARTS if "schedule" in case["expect"] else MOMENTS
    return [
        *compare_states(case, standings),
        *compare_billing(case["expect"], partners["records"], moments),
        *compare_bpm(case, partners["processes"], moments),
        *compare_schedule(case["expect"], standings[-1]),
        *(f"the sandbox saw a broken rule: {row['kind']} {row['detail']}" for row in partners["violations"]),
    ]


def expected_states(case: dict) -> dict[str, str]:
    """The order is live, or scheduled if it starts later. A trial that is taken over at once is converted."""
    later = "schedule" in case["expect"]
    kinds = {"1": "trialing" if later else "converted", "2": "applied"}
    states = {content["OrderNum"]: kinds[content["OrderType"]] for content in case.get("setup", [])}
    return states | {case["content"]["OrderNum"]: "scheduled" if later else "active"}


def compare_states(case: dict, standings: list[dict]) -> Iterator[str]:
    """Compares states, and checks that nothing went wrong on the way."""
    for standing in standings:
        number, wanted = standing["order"], expected_states(case)[standing["order"]]
        if standing["state"] != wanted:
            yield f"{number} is {standing['state']}, not {wanted}"
        for incident in standing["incidents"]:
            yield f"{number} has an incident: {incident['step']} {incident['code']} {incident['detail']}"
        for step in standing["steps"]:
            if step["status"] not in ("done", "waiting"):
                yield f"{number} step {step['name']} is {step['status']}: {step['error']}"


def compare_billing(expect: dict, records: list[dict], moments: set[str]) -> Iterator[str]:
    """Checks that the big-data side has the expected records and no others."""
    batches = expect.get("billing", []) + expect.get("billing_after_approval", [])
    wanted = {_identity(entry): entry for batch in batches for entry in batch}
    jobs = {job for job, _domain in wanted}
    found = {_identity(record): record for record in records if record["jobId"] in jobs}
    for identity in sorted(wanted.keys() | found.keys()):
        yield from _compare(f"billing record {' '.join(identity)}", wanted.get(identity), found.get(identity), moments)


def _identity(entry: dict) -> tuple[str, str]:
    return entry["jobId"], entry["domain"]


def compare_bpm(case: dict, processes: list[dict], moments: set[str]) -> Iterator[str]:
    """Checks that the order has one process, started with the expected message."""
    number = case["content"]["OrderNum"]
    found = [process["body"] for process in processes if process["code"] == number]
    if len(found) != 1:
        yield f"{number} has {len(found)} BPM processes, not 1"
    elif flat(found[0], moments) != flat(case["expect"]["bpm"][0], moments):
        yield from _compare(f"BPM message of {number}", case["expect"]["bpm"][0], found[0], moments)


def compare_schedule(expect: dict, standing: dict) -> Iterator[str]:
    """Checks the name of a later start's schedule. Without a later start there must be no schedule."""
    wanted = expect.get("schedule", {}).get("name")
    found = (standing["schedule"] or {}).get("name")
    if found != wanted:
        yield f"{standing['order']} has the schedule {found}, not {wanted}"


def _compare(what: str, wanted: dict | None, found: dict | None, moments: set[str]) -> Iterator[str]:
    if wanted is None or found is None:
        yield f"{what} is {'missing' if found is None else 'there, but not expected'}"
        return
    wanted, found = flat(wanted, moments), flat(found, moments)
    for member in sorted(wanted.keys() | found.keys()):
        if wanted.get(member) != found.get(member):
            yield f"{what}: {member} is {found.get(member)!r}, not {wanted.get(member)!r}"


def flat(value: dict, without: set[str], prefix: str = "") -> dict[str, object]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`, without the named members."""
    members: dict[str, object] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            members |= flat(inner, without, f"{prefix}{key}.")
        elif key not in without:
            members[prefix + key] = inner
    return members
