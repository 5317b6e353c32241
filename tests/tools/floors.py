"""Defines the floors of the architecture. A folder may import only from lower floors. `python -m tests.tools.floors`
prints the table.

tests/test_architecture.py checks the imports against this table. docs/architecture.md shows the table.
"""

import ast
from collections.abc import Iterator

from tests.sources import MODULES, nodes

ROOTS = ("admin", "apps", "checks", "deploy_checks", "periodic", "settings", "tasks", "urls", "wsgi")
"""Modules at the root of an app that combine its parts. No module imports them."""
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
        "orders.limits": "time limits, working days, late orders",
        "orders.restore": "detection of a restored database",
        "orders.texts": "codes and their texts",
    },
    {"orders.history": "actors, locks, events, states from steps"},
    {"orders.trials": "target states of trials"},
    {"orders.outbox": "rows of the outbox: creation, release, records, outcomes"},
    {"orders.mails": "mails and notices as rows, recipients of notes"},
    {"orders.incidents": "opening, closing and handling of incidents, stuck orders"},
    {"orders.erasing": "erasure of personal data"},
    {
        "orders.intake": "intake of orders; holds",
        "orders.pauses": "pauses, open breakers, repeats after a restore",
        "orders.people": "ownership, second persons, access records",
    },
    {
        "orders.books": "differences between records, and their correction",
        "orders.lists": "common code of lists, exports, bulk actions and the API",
        "orders.queries": "read-only answers for `show`, the API and pages",
    },
    {
        "orders.search": "the search and its index",
        "orders.undoing": "compensation; release of claims",
    },
    {"orders.bpm": "BPM's decisions and reminders"},
    {
        "orders.attachments": "info-security files",
        "orders.replanning": "reopening, order of a trial's steps, verification, giving up, withdrawal",
    },
    {
        "orders.reconciliation": "reconciliation runs, numbers from BBOSS",
        "orders.start_day": "moves of a start, starts; corrected attributions",
    },
    {
        "orders, at its root": "the job of start days, whose path is stored in rows",
        "orders.sending": "claim, record, effects of outcomes, resend; only this folder handles all outcomes",
    },
    {"orders.order_words": "texts about an order: ladder, history, differences"},
    {"orders.actions": "staff actions, one row each; dry runs, previews"},
    {
        "orders.customer_page": "the customer page",
        "orders.office": "exports, views, bulk, trials, evidence, digest, inbox: a folder per feature",
        "orders.order_page": "the order page",
        "orders.templatetags": "tags of templates",
    },
    {
        "orders.admin": "lists of the staff site, a file each",
        "orders.commands": "`manage.py`: one order, lists, upkeep",
    },
    {"orders, composed": "entry points for Django: the app, its admin"},
    {
        "integrations.models": "heartbeats, leases, breakers, tokens, processes, callbacks",
        "integrations.partners": "the profile of partners: keys, rules, calls",
    },
    {
        "integrations.base": "bodies, counts, database deadline and clock, old secrets, other desks",
        "integrations.outbound": "outgoing HTTP, failures, deadlines, rate limit",
    },
    {
        "integrations.bboss": "BBOSS's calls: checks, reading, answers; the machine's clock",
        "integrations.bigdata": "the big-data side: bodies, calls, look-ups, comparison",
    },
    {
        "integrations, at its root": "probes of external services",
        "integrations.api": "the read API and its tokens",
        "integrations.bpm": "BPM: its start, its callbacks",
        "integrations.sandbox": "the simulated partners",
        "integrations.worker": "the django-q2 cluster and its watchdog",
    },
    {
        "integrations.delivery": "claims due steps, sends them, records results",
        "integrations.onboarding": "data of `partners` and 对接",
        "integrations.robots": "sends incidents to chat groups and other systems",
    },
    {
        "integrations, composed": "entry points for Django: the app, admin, URLs, tasks",
        "integrations.commands": "`manage.py`: worker, partners, messages",
    },
    {
        "project.database": "engines, options, backup and restore",
        "project.formats": "formats of numbers and dates",
        "project.manual": "the staff's manual",
        "project.models": "accounts, sessions, alarms",
    },
    {"project.base": "the table of settings, IP addresses, certificates, middleware, logs"},
    {"project.trail": "the trail: rows and texts"},
    {
        "project, at its root": "production requirements, error pages, sending of the trail to a log server",
        "project.accounts": "log-in, second factor, roles, sessions, leave",
    },
    {
        "project.admin_site": "the staff site: menu, journal",
        "project.observability": "status, health, metrics, alarms, silent failures",
    },
    {
        "project.commands": "`manage.py`: status, settings, backup, audit",
        "project.dashboard": "the dashboard and pages about the whole desk",
    },
    {
        "project.start": "`manage.py`: start of a command",
        "project.templatetags": "tags of templates",
    },
    {"project, composed": "settings, URLs, checks, the app"},
)


def folder_of(module: str) -> str:
    """Returns the folder of a module: `orders/outbox/release_steps.py` -> `orders.outbox`. A command, or a module at
    the root of an app, counts as a folder."""
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
    """Yields (module, line, imported module) as paths, for our own modules. Ignores the imports of migrations."""
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
    """Returns {folder: number of its floor}. The lowest floor is 1."""
    return {folder: number for number, floor in enumerate(FLOORS, 1) for folder in floor}


def picture() -> str:
    """Returns the table as text, a line per folder, the highest floor first."""
    width = max(len(folder) for floor in FLOORS for folder in floor)
    lines = []
    for number, floor in reversed(list(enumerate(FLOORS, 1))):
        for place, (folder, holds) in enumerate(floor.items()):
            lines.append(f"{number if place == 0 else '':>2}  {folder:<{width}}  {holds}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(picture())
