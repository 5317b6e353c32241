"""Orders for the process tests, and checks that must pass however often a process was killed."""

from collections import defaultdict

from tests.bboss_messages import accepted
from tests.flows import contents
from tests.harness.desk import ProcessDesk


def trial(n: int, **more) -> dict:
    return contents.trial(f"100T{n:04d}", f"t{n}.example.com") | more


def activation(n: int, trial: int | None = None, **more) -> dict:
    return contents.activation(f"100A{n:04d}", of=f"100T{n if trial is None else trial:04d}") | more


def pairs(first: int, last: int) -> list[dict]:
    """Returns the messages of a trial and its activation for each number from `first` to `last`."""
    return [make(n) for n in range(first, last + 1) for make in (trial, activation)]


def post_all(desk: ProcessDesk, contents: list[dict]) -> dict[str, str]:
    """Posts the messages one after the other. Returns {order number: transIDH}. All must be accepted."""
    replies = {content["OrderNum"]: desk.post(content) for content in contents}
    assert all(accepted(reply) for reply in replies.values()), replies
    return {number: reply["transIDH"] for number, reply in replies.items()}


def states(desk: ProcessDesk, first: int, last: int, letter: str = "A") -> dict[str, str]:
    """Returns {order number: state} for the numbers from `first` to `last`."""
    between = f"number BETWEEN '100{letter}{first:04d}' AND '100{letter}{last:04d}'"
    return dict(desk.rows(f"SELECT number, state FROM orders_order WHERE {between}"))


def until_active(desk: ProcessDesk, first: int, last: int, *, seconds: float = 120) -> None:
    """Waits until the activations with these numbers are active, and no step of the desk is open."""
    open_steps = "SELECT count(*) FROM orders_dispatch WHERE state IN ('due', 'sending', 'retrying')"

    def there():
        found = states(desk, first, last)
        complete = len(found) == last - first + 1 and set(found.values()) == {"active"}
        return complete and desk.rows(open_steps)[0][0] == 0

    desk.until(there, seconds=seconds)


def check_calls(desk: ProcessDesk) -> None:
    """Checks that each step was sent under one key, with the same bytes each time, and that nothing was done twice.

    Also checks the logs for exceptions and for locks of the database.
    """
    state = desk.partners()
    assert state["violations"] == []
    digests, keys = defaultdict(set), defaultdict(set)
    for call in desk.calls():
        digests[call["key"]].add(call["digest"])
        keys[call["digest"]].add(call["key"])
    assert all(len(found) == 1 for found in digests.values()), "a key with two bodies"
    looks = {call["digest"] for call in desk.calls() if call["path"].endswith("/query")}
    assert all(len(found) == 1 for digest, found in keys.items() if digest not in looks), "a step with two keys"
    codes = [process["code"] for process in state["processes"]]
    assert len(codes) == len(set(codes)), "an order with two BPM processes"
    assert "Traceback" not in desk.log("web"), desk.log("web")
    assert "database is locked" not in desk.all_logs()
    assert "deadlock" not in desk.all_logs()
