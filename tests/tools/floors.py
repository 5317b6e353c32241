"""The floors of the house: a folder imports only what lies on a lower one. `python -m tests.tools.floors` draws them.

tests/test_architecture.py holds the imports to this table, and docs/architecture.md shows it.
"""

import ast
from collections.abc import Iterator

from tests.sources import MODULES, nodes

ROOTS = ("admin", "apps", "checks", "deploy_checks", "periodic", "settings", "tasks", "urls", "wsgi")
"""Files at the root of an app that put its parts together. Nobody imports them."""
FLOORS: tuple[dict[str, str], ...] = (
    {
        "approvals": "the append-only history alone; a leaf",
        "notifications": "contacts, rules, recipients, masks, SMTP; a leaf",
    },
    {
        "orders.db": "SQL, guards, files on disk",
        "orders.rules": "pure tables and rules; imports no model",
    },
    {"orders.models": "tables"},
    {
        "orders.limits": "time limits, working days, what is late",
        "orders.restore": "whether this database is an earlier copy",
        "orders.texts": "codes and their sentences",
    },
    {"orders.history": "who did it, locks, events, states from steps"},
    {"orders.trials": "what a trial is meant to be"},
    {"orders.outbox": "rows of the outbox: made, released, their records and outcomes"},
    {"orders.mails": "mails and notices as rows, whom a note tells"},
    {"orders.incidents": "opened, ended, staff's acts on them, who needs somebody"},
    {
        "orders.intake": "how an order comes in; holds",
        "orders.pauses": "pauses, open breakers, what a restore repeats",
        "orders.people": "ownership, second persons, notes of what staff opened",
    },
    {
        "orders.books": "what the partner's records mean for ours",
        "orders.lists": "what all lists, exports, bulk acts and the API share",
        "orders.reports": "read-only answers for `show`, the API and pages",
    },
    {
        "orders.search": "the search and its index",
        "orders.undoing": "compensation; the claim that is released",
    },
    {"orders.bpm": "BPM's decisions, and pushing for them"},
    {
        "orders.attachments": "info-security files",
        "orders.replanning": "opening again, a trial's line, verification, giving up, withdrawal",
    },
    {
        "orders.reconciliation": "comparison, numbers from BBOSS, who is asked",
        "orders.start_day": "moving a start, starting; correcting an attribution",
    },
    {
        "orders, at its root": "the job of start days, whose path stands in rows",
        "orders.sending": "claim, record, what outcomes cause, resend: all outcomes are known here alone",
    },
    {"orders.order_words": "what counts about one order, its ladder, history and differences in words"},
    {"orders.actions": "what staff may do, a row an act; dry runs, previews"},
    {
        "orders.customer_page": "one customer's page",
        "orders.office": "exports, views, bulk, trials, evidence, digest, inbox: a folder a feature",
        "orders.order_page": "one order's page",
        "orders.templatetags": "tags of templates",
    },
    {
        "orders.admin": "lists of the staff's site, a file each",
        "orders.commands": "`manage.py`: one order, lists, upkeep",
    },
    {"orders, composed": "what Django loads: the app, its admin"},
    {
        "integrations.models": "heartbeats, leases, breakers, tokens, processes, callbacks",
        "integrations.partners": "the profile of partners: keys, rules, calls",
    },
    {
        "integrations.base": "bodies, counts, database deadline and clock, old secrets, other desks",
        "integrations.outbound": "the one seam to HTTP out, its deadlines and rate",
    },
    {
        "integrations.bboss": "BBOSS's calls: checks, reading, answers; the machine's clock",
        "integrations.bigdata": "the big-data side: bodies, calls, look-ups, comparison",
    },
    {
        "integrations, at its root": "probes of what the desk leans on",
        "integrations.api": "what other systems read, with tokens",
        "integrations.bpm": "BPM: its start, its callbacks",
        "integrations.sandbox": "the partners' stand-in",
        "integrations.worker": "what django-q2 runs, and who watches it",
    },
    {
        "integrations.delivery": "claims what is due, sends it, records it",
        "integrations.onboarding": "what `partners` and 对接 show",
        "integrations.robots": "tells chat groups and other systems of incidents",
    },
    {
        "integrations, composed": "what Django loads: the app, admin, addresses, tasks",
        "integrations.commands": "`manage.py`: worker, partners, messages",
    },
    {
        "project.database": "engines, options, backup and restore",
        "project.formats": "formats of numbers and dates",
        "project.manual": "the staff's manual",
        "project.models": "accounts, sessions, alarms",
    },
    {"project.base": "the table of settings, addresses, certificates, middleware, logs"},
    {"project.trail": "the trail: its rows and words"},
    {
        "project, at its root": "what production needs, error pages, the trail's way to a log server",
        "project.accounts": "log-in, second factor, roles, sessions, leave",
    },
    {
        "project.admin_site": "the staff's site: menu, journal",
        "project.observability": "status, health, metrics, alarms, stops",
    },
    {
        "project.commands": "`manage.py`: status, settings, backup, audit",
        "project.dashboard": "the first page, and pages around the desk",
    },
    {
        "project.start": "`manage.py`: how a command starts",
        "project.templatetags": "tags of templates",
    },
    {"project, composed": "settings, addresses, checks, the app"},
)


def folder_of(module: str) -> str:
    """`orders/outbox/due_steps.py` -> `orders.outbox`. Commands, and files at the root of an app, are folders too."""
    app, *folders = module.split("/")[:-1]
    name = module.rpartition("/")[2].removesuffix(".py")
    if app in ("approvals", "notifications"):
        return app
    if not folders:
        return f"{app}, composed" if name in ROOTS else f"{app}, at its root"
    if folders == ["admin"] and name == "__init__":
        return f"{app}, composed"
    return f"{app}.{'commands' if folders[0] == 'management' else folders[0]}"


def imported_modules() -> Iterator[tuple[str, int, str]]:
    """Yields (module, line, imported module) as paths, for our own modules. Migrations import what they need."""
    ours = [module for module in MODULES if "/migrations/" not in module]
    known = {module.removesuffix(".py").removesuffix("/__init__").replace("/", "."): module for module in ours}
    for module in known.values():
        for node in nodes(module):
            names = []
            if isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{one.name}" for one in node.names]
            for name in names:
                if target := known.get(name) or known.get(name.rpartition(".")[0]):
                    yield module, node.lineno, target


def floors() -> dict[str, int]:
    """The number of each folder's floor; the lowest is 1."""
    return {folder: number for number, floor in enumerate(FLOORS, 1) for folder in floor}


def picture() -> str:
    """One line a folder, the highest floor first."""
    width = max(len(folder) for floor in FLOORS for folder in floor)
    lines = []
    for number, floor in reversed(list(enumerate(FLOORS, 1))):
        for place, (folder, holds) in enumerate(floor.items()):
            lines.append(f"{number if place == 0 else '':>2}  {folder:<{width}}  {holds}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(picture())
