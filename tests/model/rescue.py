"""Repairs a desk with staff's commands only (contract 3.9, 13). Staff must be able to end every fault."""

from orders.texts.errors import OrderError
from tests.model.acts import WrongError
from tests.model.staff import SERVICES

MOST_ROUNDS = 14
WAYS = {
    "files_come": lambda desk, number: desk.files_come(number) if number in desk.wrong_files else "no files",
    "waive": lambda desk, number: desk.waive(number),
    "attribute": lambda desk, number: desk.attribute(number),
    "name_domains": lambda desk, number: desk.name_domains(number, "d"),
    "proceed": lambda desk, number: desk.proceed(number),
    "resend": lambda desk, number: _sent(desk.resend(number)),
    "take": lambda desk, number: desk.take(number),
    "fix": lambda desk, number: _fixed(desk.reconcile(number, fix=True)) if number[0] != "C" else "a change",
    "give_up": lambda desk, number: desk.give_up(number),
    "accept": lambda desk, number: desk.accept(number),
    "pass": lambda desk, number: desk.decide(number, "pass"),
    "reject": lambda desk, number: desk.decide(number, "reject"),
    "has_process": lambda desk, number: desk.take_start(number),
    "send_anew": lambda desk, number: _sent(desk.send_anew(number)),
    "resolve": lambda desk, number: desk.resolve(number),
    "bpm_says": lambda desk, number: desk.bpm_says(number),
    "withdraw": lambda desk, number: desk.withdraw_by_staff(number),
    "cancel": lambda desk, number: desk.withdraw_by_staff(number, "cancel"),
    "delete": lambda desk, number: desk.withdraw_by_staff(number, "delete"),
}
HOLDS = ["bpm_says", "files_come", "attribute", "name_domains", "proceed"]
CREWS = {
    "resend first": [
        *HOLDS,
        "resend",
        "has_process",
        "send_anew",
        "take",
        "fix",
        "pass",
        "give_up",
        "accept",
        "resolve",
        "cancel",
        "withdraw",
    ],
    "give up first": [
        "waive",
        *HOLDS,
        "send_anew",
        "has_process",
        "give_up",
        "take",
        "accept",
        "reject",
        "resend",
        "fix",
        "resolve",
        "delete",
        "withdraw",
    ],
    "withdraw first": ["delete", "withdraw", "give_up", "fix", "take", "accept", "resend", "resolve", *HOLDS],
}


def rescue(desk, crew: str) -> str:
    """Repairs the desk in rounds. `crew` is a key of CREWS, which lists commands by preference.

    In each round, every stuck order gets the crew's first command that is allowed and was not yet used in the order's
    situation. Then the desk is checked. Returns the commands used. Raises WrongError if no command helps, or if the
    rounds do not end.
    """
    tried: dict[str, set] = {}
    told, done = desk.stuck() or [], []
    for _ in range(MOST_ROUNDS):
        stuck = [row for row in told if any(reason.kind != "behind" for reason in row.reasons)]
        if not stuck:
            return ", ".join(done)
        helped = [_help(desk, row, crew, tried.setdefault(row.number, set())) for row in stuck]
        done += filter(None, helped)
        try:
            if not any(helped):
                raise WrongError("no way out", *map(_named, stuck))
            desk.rest(days=True)
            told = desk.stuck()
            desk.judge(told)
        except WrongError as error:
            raise WrongError(error.kind, error, f"after {done}") from error
    raise WrongError("no end of mending", *map(_named, stuck), f"after {done}")


def _named(row) -> str:
    return f"{row.number} ({row.state}): {[(reason.kind, reason.code, reason.step) for reason in row.reasons]}"


def _help(desk, row, crew: str, tried: set) -> str:
    """Gives the crew's commands to a stuck order until the desk allows one.

    Returns this command, or "" if none was allowed.
    """
    situation = (row.state, *sorted((reason.kind, reason.code, reason.step) for reason in row.reasons))
    for way in CREWS[crew]:
        if (way, situation) in tried or (way in MAY_NEED and MAY_NEED[way] not in SERVICES):
            continue
        desk.clock.shift(1)
        try:
            refused = WAYS[way](desk, row.number)
        except OrderError:
            continue  # perhaps only because a step of the trial is in progress, so the next round tries again
        if not refused:
            tried.add((way, situation))
            return f"{row.number} {way}"
    return ""


MAY_NEED = {
    "give_up": "give_up",
    "take": "take",
    "accept": "accept",
    "pass": "decide",
    "reject": "decide",
    "proceed": "proceed",
    "name_domains": "name_domains",
}


def _sent(judged: str) -> str:
    """Returns "" if a step was queued. Otherwise returns the verdicts of the resend."""
    verdicts = {part.rpartition(": ")[2] for part in judged.split(", ")}
    return "" if verdicts & {"same", "new", "again", "blocked", "repeat"} else judged or "nothing"


def _fixed(said: str) -> str:
    """Returns "" if the order was compared. Otherwise returns the error.

    A comparison counts as a success even if it fixed nothing, because it also ends resolved faults.
    """
    return "" if "not answered" not in said else said
