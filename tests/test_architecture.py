"""The directions of imports in the design: project -> integrations -> orders -> approvals, notifications. Also, which
code may write a status.
"""

import ast
import functools
import re

import pytest

from tests.sources import APPS, MODULES, ROOT, last_name, nodes, source, tree
from tests.tools.floors import floors, folder_of, imported_modules, picture

STATUS = {"state", "state_since", "held_because", "decision", "undo_since"}
SERVICES = tuple(
    f"orders/{folder}/"
    for folder in (
        *("actions", "attachments", "bpm", "books", "history", "incidents", "intake", "mails", "outbox", "pauses"),
        *("people", "reconciliation", "replanning", "sending", "start_day", "trials", "undoing"),
    )
)
WRITERS = (
    *(*SERVICES, "orders/db/", "orders/migrations/"),
    # these write the status of their own rows
    *("orders/office/bulk/bulk_runs.py", "orders/office/exports/export_jobs.py"),
    "orders/search/index.py",
)
ROOMS = ("admin", "customer_page", "lists", "office", "order_page", "order_words", "search", "templatetags")
STAFF = tuple(f"orders/{room}/" for room in ROOMS)
SHARED = ("apps", "management")  # these import code of the other folders
BELOW = ("models", "service", "schedules", "schedule_results", "table_files", "archive", "sheet", "workbook")
BULK_WRITERS = {"update_rows", "insert_rows"}
PLAIN_THINGS = {"settings", "context", "hidden", "known", "found"}
RAW_WRITE = re.compile(r"\b(UPDATE|INSERT\s+INTO|DELETE\s+FROM)\s+\"?orders_", re.IGNORECASE)
ORDERS_OWN = STATUS - {"state"}  # fields that no other table has
# the names that the services give to variables with an order
ORDERS = {"order", "trial", "change", "activation", "holder"}

CORE = [module for module in MODULES if module.startswith("orders/") and not module.startswith(STAFF)]


@functools.cache
def imports(module):
    return [node for node in nodes(module) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(node):
    """Returns the dotted names that a node imports, or none for other nodes."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []


def ours(node):
    """Returns the apps of this project that a node imports."""
    return {name.split(".")[0] for name in imported(node)} & set(APPS)


def hidden_imports(module):
    """Returns the lines of imports of ours inside functions. `AppConfig.ready` may import, because Django asks for
    imports there.
    """
    indented = [node for node in imports(module) if node.col_offset and ours(node)]
    functions = [
        node for node in nodes(module) if indented and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    bound = [function for function in functions if not (module.endswith("/apps.py") and function.name == "ready")]
    inside = {inner for function in bound for inner in ast.walk(function)}
    return [node.lineno for node in indented if node in inside]


def lines_where(guard, found):
    return sorted({node.lineno for node in found if guard(node)})


def places(guard, *allowed):
    """Returns the places in our sources, except for the allowed ones, where a guard returns True."""
    others = [module for module in MODULES if not module.startswith(allowed)]
    return [f"{module}:{line}" for module in others for line in lines_where(guard, nodes(module))]


def writes_status(node):
    """Returns True if the code writes a status or may write one: in memory, by a manager, by the bulk writer, or with
    SQL of its own.
    """
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, ast.Store) and node.attr in STATUS and last_name(node.value) != "self"
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(RAW_WRITE.search(node.value))
    return isinstance(node, ast.Call) and call_writes_status(node, last_name(node.func))


def call_writes_status(call, name):
    words = constants(call)
    said = {keyword.arg for keyword in call.keywords} | words
    if name in BULK_WRITERS:
        return True  # the fields that it writes may be named anywhere else
    if name == "update":
        return isinstance(call.func, ast.Attribute) and on_rows(call.func.value) and bool(STATUS & said)
    if name == "setattr":
        return len(call.args) > 1 and (not isinstance(call.args[1], ast.Constant) or call.args[1].value in STATUS)
    return name in {"bulk_update", "save", "asave", "aupdate"} and bool(STATUS & words)


def on_rows(value):
    """Returns True if `update` is called on a query's result, not on a dict of settings or a counter."""
    return isinstance(value, ast.Call) or last_name(value) not in PLAIN_THINGS


def imported_by(modules):
    """Returns [(module, dotted name that it imports)]."""
    return sorted({(module, name) for module in modules for node in imports(module) for name in imported(node)})


def constants(node):
    return {inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)}


def gives_order_state(node):
    """Returns True if the code writes one of the four status fields of an order. Only `orders.history.states` may,
    which checks the change of state.
    """
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.attr in ORDERS_OWN or (node.attr == "state" and last_name(node.value) in ORDERS)
    if not isinstance(node, ast.Call):
        return False
    if last_name(node.func) == "setattr":
        field = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else ""
        return field in ORDERS_OWN or (field == "state" and last_name(node.args[0]) in ORDERS)
    updated = {keyword.arg for keyword in node.keywords} if last_name(node.func) in {"update", "aupdate"} else set()
    return bool(ORDERS_OWN & updated) or ("state" in updated and updates_orders(node))


def updates_orders(call):
    """Returns True if the call is `Order.objects...update(...)`."""
    return {"Order", "objects"} <= {last_name(node) for node in ast.walk(call.func)}


def test_all_read_one_clock():
    """All code reads the time by `timezone.now()`, which is the database's time (docs/mechanisms/clock.md). The
    sandbox may read another clock, because it stands for the partners.
    """
    own = re.compile(r"\b(datetime\.now|date\.today|utcnow)\(|timezone import .*\bnow\b")
    read = [
        module for module in MODULES if not module.startswith("integrations/sandbox/") and own.search(source(module))
    ]
    assert read == []


def test_no_line_of_a_template_is_longer_than_160():
    templates = [path for app in APPS for kind in ("*.html", "*.txt") for path in (ROOT / app).rglob(kind)]
    lines = [(path, number, line) for path in templates for number, line in enumerate(path.open(encoding="utf-8"), 1)]
    assert [f"{path.relative_to(ROOT)}:{number}" for path, number, line in lines if len(line.rstrip("\n")) > 160] == []


def test_each_folder_imports_lower_floors_only():
    known = floors()
    assert {folder_of(module) for module in MODULES if "/migrations/" not in module} == set(known)
    found = {(folder_of(one), folder_of(other)): (one, line, other) for one, line, other in imported_modules()}
    wrong = {pair: where for pair, where in found.items() if pair[0] != pair[1] and known[pair[0]] <= known[pair[1]]}
    assert wrong == {}


def test_the_page_about_the_architecture_shows_the_floors():
    assert picture() in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_imports_are_whole_names():
    """Imports are absolute, so that the other tests can read from them which app a module belongs to."""
    assert [module for module in MODULES for node in imports(module) if getattr(node, "level", 0)] == []


def test_no_import_hides_in_a_function():
    assert {module: lines for module in MODULES if (lines := hidden_imports(module))} == {}


LATE_BOUND = {
    ("integrations/apps.py", "client"): "asked for deep in the core: nobody from above is there to pass it on",
    ("integrations/apps.py", "rules"): "trials that people enter follow the rules of BBOSS's messages",
    ("integrations/apps.py", "proven_calls"): "the partners' profile says what a claim may take",
    ("project/apps.py", "ENDINGS"): "a mail's secret comes from accounts, as the mail is sent below them",
    ("project/apps.py", "site"): "these pages import ModelAdmins, whose registering imports the site",
}
"""{(module, name that it imports and writes into): why}. Anything else is imported, passed, or named in a setting."""
CHANGES = {"append", "extend", "insert", "update", "setdefault", "add", "clear", "remove", "pop"}


def root_of(node):
    """Returns `client` for client.held and for client["held"]. Returns an empty text for a bare name, which belongs to
    the module itself.
    """
    written = isinstance(node, ast.Attribute | ast.Subscript)
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if written and isinstance(node, ast.Name) else ""


def written_names(node):
    """Returns the names whose objects a node changes: by an attribute, an item, setattr, or a method like `append`."""
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return {root_of(node)}
    if isinstance(node, ast.Call) and last_name(node.func) == "setattr":
        return {node.args[0].id} if isinstance(node.args[0], ast.Name) else {root_of(node.args[0])}
    return {root_of(node.func)} if isinstance(node, ast.Call) and last_name(node.func) in CHANGES else set()


def late_bound(found):
    """Returns [(line, name)] of the changes that a module makes to another module of ours when it is imported or when
    its app starts.
    """
    inside = {
        inner
        for node in found
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        and getattr(node, "name", "") != "ready"
        for inner in ast.walk(node)
    }
    asked = [node for node in found if isinstance(node, ast.Import | ast.ImportFrom)]
    site = ["django.contrib.admin"]  # Django's registry, which is an object of our class
    names = {one.asname or one.name for node in asked if ours(node) or imported(node) == site for one in node.names}
    starting = [node for node in found if node not in inside]
    return [(node.lineno, name) for node in starting for name in sorted(written_names(node) & names)]


def test_an_app_that_starts_writes_into_no_other_module():
    """Whoever reads a module can't see that another module changes it. Django's own registries are filled by calls,
    which are allowed.
    """
    found = {(module, name): line for module in MODULES for line, name in late_bound(nodes(module))}
    assert {
        f"{module}:{line}: {name}" for (module, name), line in found.items() if (module, name) not in LATE_BOUND
    } == set()
    assert set(LATE_BOUND) == set(found)


@pytest.mark.parametrize(
    "code, number",
    [
        ("from orders.x import LIST\nLIST.append(1)", 1),
        ("from orders.x import TABLE\nTABLE['a'] = 1", 1),
        ("from orders import x\nx.hook = print", 1),
        ("from orders.x import Thing\nsetattr(Thing, 'hook', print)", 1),
        ("class A:\n    def ready(self):\n        from orders.x import LIST\n        LIST.extend([1])", 1),
        ("class A:\n    def ready(self):\n        from django.contrib.admin import site\n        site.parts = 1", 1),
        ("from orders.x import LIST\nOWN = [*LIST]\nOWN.append(1)", 0),
        ("from orders.x import LIST\ndef later():\n    LIST.append(1)", 0),
        ("from django.contrib import admin\nadmin.site.register(1)", 0),
    ],
)
def test_late_binding_is_seen(code, number):
    assert len(late_bound(list(ast.walk(ast.parse(code))))) == number


def test_only_services_write_a_status():
    assert places(writes_status, *WRITERS) == []


def test_an_orders_state_is_given_in_one_place():
    """Only orders/history/states.py writes an order's state, because it checks each change against the table of
    allowed changes.
    """
    assert places(gives_order_state, "orders/history/states.py", "orders/migrations/") == []


def test_the_core_knows_no_http():
    web = ("requests", "urllib3", "rest_framework", "django.http")
    ends = tuple(f"/{name}.py" for name in BELOW)
    below = [module for module in MODULES if module.startswith("orders/office/") and module.endswith(ends)]
    names = [name for module in [*CORE, *below] for node in imports(module) for name in imported(node)]
    assert [name for name in names if name.startswith(web)] == []


def test_the_list_engine_knows_no_list():
    """The modules of the list engine import only two models: orders, and their attributions, by which the engine
    limits rows.
    """
    names = ("notes", "assign_owner", "page_fingerprint", "pauses_in_force", "service_names")
    beside = tuple(f"orders/lists/{name}.py" for name in names)
    engine = [module for module in MODULES if module.startswith("orders/lists/") and not module.startswith(beside)]
    found = [node for module in engine for node in imports(module)]
    models = {one.name for node in found if "orders.models" in imported(node) for one in node.names}
    assert models == {"Order", "Province"}


MAKERS = {"create", "bulk_create", "get_or_create", "update_or_create", "acreate"}
ROWS = {"Dispatch", "BillingDispatch", "BpmDispatch"}


def makes_dispatch(node):
    """Returns True if the code makes a row of the outbox: by its class, by a manager of the class, or by an order's
    `dispatches`.
    """
    if not isinstance(node, ast.Call):
        return False
    func = node.func
    if last_name(func) in ROWS:
        return True
    if not (isinstance(func, ast.Attribute) and func.attr in MAKERS):
        return False
    return bool({last_name(node) for node in ast.walk(func.value)} & {*ROWS, "dispatches"})


def test_only_enqueue_makes_outbox_rows():
    assert places(makes_dispatch, "orders/outbox/enqueue.py") == []


PURE = ("orders/intake/plan_or_hold.py", "orders/rules/trial_shape.py")
NOT_PURE = ("django", "orders.db", *(folder[:-1].replace("/", ".") for folder in SERVICES), "time")
ROWS_OF_A_PLAN = {"Order", "OrderDomain", "TrialClaim"}
PLANNED = {"planned_at", "plans"}  # fields that only planning sets
PLACE = {"plan", "position"}  # the place of a step in its plan; `enqueue` sets it when it makes the step
WRITES = {"update", "aupdate", "bulk_update", "update_rows", "save"}


def is_impure(node):
    """Returns True if the code reads or writes outside data: it imports such code, uses a manager or the clock, or
    makes or changes a row.
    """
    if isinstance(node, ast.Attribute):
        return node.attr in {"objects", "now", "today"}
    if isinstance(node, ast.Call):
        named = last_name(node.func)
        return named in {"setattr", "save"} or (named[:1].isupper() and named in all_models())
    names = imported(node)
    if isinstance(node, ast.ImportFrom):
        names += [f"{node.module}.{name.name}" for name in node.names]
    return any(name == other or name.startswith(f"{other}.") for name in names for other in NOT_PURE)


@functools.cache
def all_models():
    """Returns the names of the classes in orders/models."""
    trees = [tree(module) for module in MODULES if module.startswith("orders/models/")]
    return {node.name for source in trees for node in source.body if isinstance(node, ast.ClassDef)}


def updates_by_dict(node):
    """Returns True for calls like `rows.update(**places)`."""
    updates = isinstance(node, ast.Call) and last_name(node.func) in {"update", "aupdate"}
    return updates and any(keyword.arg is None for keyword in node.keywords)


def writes_plan(node):
    """Returns True if the code makes a row of a plan, gives a step a place in a plan, or notes that an order was
    planned.
    """
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, ast.Store) and node.attr in PLANNED and last_name(node.value) in ORDERS
    if isinstance(node, ast.FunctionDef):  # the dict that is passed as **places may be built some lines before
        return any(map(updates_by_dict, ast.walk(node))) and bool(PLACE & constants(node))
    if not isinstance(node, ast.Call):
        return False
    named, func = last_name(node.func), node.func
    if named in ROWS_OF_A_PLAN:  # a row without an order or trial is made only to be shown on a page
        return bool({keyword.arg for keyword in node.keywords} & {"number", "order", "order_id", "trial", "trial_id"})
    if named in WRITES:
        return bool(({keyword.arg for keyword in node.keywords} | constants(node)) & (PLANNED | PLACE))
    makers = named in MAKERS and isinstance(func, ast.Attribute)
    return makers and bool({last_name(one) for one in ast.walk(func.value)} & {*ROWS_OF_A_PLAN, "domains", "claims"})


@pytest.mark.parametrize("module", PURE)
def test_what_decides_is_pure(module):
    assert lines_where(is_impure, nodes(module)) == []


def test_only_write_writes_a_plan():
    assert places(writes_plan, "orders/intake/write_planned_order.py", "orders/migrations/") == []


GUARDS = {
    writes_status: [
        ("Order.objects.filter(pk=1).update(state='x')", 1),
        ("rows.update(**{'state': 'x'})", 1),
        ("order.save(update_fields=['state'])", 1),
        ("order.state = 'x'", 1),
        ("order.state, order.held_because = 'x', ''", 1),
        ("order.decision: str = 'x'", 1),
        ("setattr(order, 'state', 'x')", 1),
        ("setattr(order, name, value)", 1),
        ("Order.objects.bulk_update(rows, ['held_because'])", 1),
        ("update_rows(orders, NAMES)", 1),
        ("bulk_write.insert_rows(orders)", 1),
        ("cursor.execute('UPDATE orders_order SET x = 1')", 1),
        ("SQL = 'update \"orders_order\" set x = 1'", 1),
        ("Order.objects.update(seen_at=now)", 0),
        ("settings.update({'state': 1})", 0),
        ("self.state = 'x'", 0),
        ("setattr(order, 'note', 'x')", 0),
        ("order.state == 'x'", 0),
    ],
    gives_order_state: [
        ("order.state = 'x'", 1),
        ("row.order.state = 'x'", 1),
        ("order.trial.state, x = 'x', 1", 1),
        ("row.held_because = ''", 1),
        ("anything.undo_since = now", 1),
        ("Order.objects.filter(pk=1).update(state='x')", 1),
        ("rows.update(undo_since=None)", 1),
        ("setattr(order, 'state', 'x')", 1),
        ("setattr(row, 'decision', 'pass')", 1),
        ("row.state = 'done'", 0),
        ("Dispatch.objects.filter(order=order).update(state='closed')", 0),
    ],
    makes_dispatch: [
        ("Dispatch(order=order)", 1),
        ("models.Dispatch(order=order)", 1),
        ("Order(number=number)", 0),
        ("Dispatch.objects.create(order=order)", 1),
        ("models.Dispatch.objects.bulk_create(rows)", 1),
        ("order.dispatches.create(step='x')", 1),
        ("order.dispatches.filter(pk=1).get_or_create(step='x')", 1),
        ("Dispatch.objects.filter(order=order)", 0),
        ("Incident.objects.create(step=Dispatch.Step.START_BPM)", 0),
    ],
    is_impure: [
        ("from django.db import models", 1),
        ("from django.utils import timezone", 1),
        ("from orders.trials.trial_state_writes import reshape", 1),
        ("Order.objects.filter(pk=1)", 1),
        ("now = datetime.datetime.now()", 1),
        ("order = Order(number=number)", 1),
        ("setattr(order, name, value)", 1),
        ("order.save()", 1),
        ("today = now.astimezone(SHANGHAI)", 0),
        ("Plan(held=Order.Held.NOT)", 0),
    ],
    writes_plan: [
        ("Order(number=number)", 1),
        ("TrialClaim(trial=trial, activation=order)", 1),
        ("OrderDomain.objects.bulk_create(OrderDomain(order=order) for name in names)", 1),
        ("order.domains.create(name=name)", 1),
        ("TrialClaim.objects.get_or_create(trial=trial)", 1),
        ("order.planned_at, order.plans = now, 1", 1),
        ("Order.objects.update(plans=1)", 1),
        ("Dispatch.objects.filter(pk=1).update(plan=1)", 1),
        ("rows.update(**{'position': 1})", 1),
        ("def f():\n    places = {'position': 1}\n    rows.update(**places)", 1),
        ("update_rows(rows, ['state', 'position'])", 1),
        ("row.save(update_fields=['plan'])", 1),
        ("def f():\n    place = {'position': 1}\n    return build_step(order, **place)", 0),
        ("rows.update(superseded=True)", 0),
        ("keep_shape(Order(pk=pk), shape)", 0),
        ("OrderDomain.objects.filter(order=order)", 0),
        ("Dispatch(order=order)", 0),
    ],
}


@pytest.mark.parametrize("guard, code, number", [(guard, *row) for guard, rows in GUARDS.items() for row in rows])
def test_the_guard_sees(guard, code, number):
    assert len(lines_where(guard, ast.walk(ast.parse(code)))) == number
