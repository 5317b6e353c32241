"""Adds a partner by the steps of docs/architecture.md, in a copy of this checkout, and tests it there.

The test contains everything that a maintainer would write: the rows (`ROWS`), the texts (`WORDS`), and the files in
tests/adding/partner. If another place must be changed, a test in the copy fails.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

from tests.harness.checkout import change, copy_checkout
from tests.template import CACHE, copy_file, state_of_migrations

FILES = Path(__file__).parent / "partner"
PLACES = {
    "client.py": "integrations/licence/client.py",
    "licence_steps.py": "integrations/licence/licence_steps.py",
    "sandbox.py": "integrations/sandbox/licence.py",
    "flow.py": "tests/flows/test_licence.py",
}
STEPS = "orders/rules/steps.py"
CHANNELS = "integrations/delivery/channels.py"
SANDBOX = "integrations/sandbox/partners.py"
ROWS = [  # (file, the line after which the new line is inserted, the new line)
    (STEPS, '    MAIL = "mail", _("Mail")\n\n\nclass Partner', '    LICENCE = "licence", _("Licence server")\n'),
    (STEPS, '    FILES = "files", _("Files")\n', '    LICENCE = "licence", _("Licence server")\n'),
    (STEPS, "    Channel.FILES: Partner.FILES,\n", "    Channel.LICENCE: Partner.LICENCE,\n"),
    (STEPS, '_("Start the BPM process")\n', '    TAKE_LICENCE = "take_licence", _("Take out licences")\n'),
    (
        STEPS,
        "Channel.BILLING, Effect.CANCEL, Phase.UNDO, derived_key=True),\n",
        "        StepKind(Step.TAKE_LICENCE, Channel.LICENCE, keeps_key=True, survives_replanning=True),\n",
    ),
    (
        CHANNELS,
        "    Channel.FILES: Carrier(_build_files, _send_files),\n",
        "    Channel.LICENCE: Carrier(build_licence, send_licence, True),\n",
    ),
    (
        CHANNELS,
        "from integrations.delivery.write_and_send_mail import send_mail\n",
        "from integrations.licence.licence_steps import build_licence, send_licence\n",
    ),
    (SANDBOX, '    "/bpm/flows/start": bpm.start,\n', '    "/licence/licences": licence.give,\n'),
    (
        "project/base/settings_table.py",
        '"big data; the default is the sandbox"),\n',
        '    Setting("LICENCE_BASE_URL", plain, "http://127.0.0.1:8090/licence", "licences"),\n',
    ),
    (
        ".env.example",
        "BIGDATA_BASE_URL=http://127.0.0.1:8090/bigdata\n",
        "LICENCE_BASE_URL=http://127.0.0.1:8090/licence\n",
    ),
    ("docs/settings.md", "| the sandbox's | |\n", "| `LICENCE_BASE_URL` * | the sandbox's | |\n"),
    (
        "tests/test_deployment.py",
        '    "BIGDATA_BASE_URL": "https://bigdata.example.com/bigdata",\n',
        '    "LICENCE_BASE_URL": "https://licence.example.com",\n',
    ),
    (
        "tests/test_deployment.py",
        '"BIGDATA_BASE_URL is the sandbox\'s address"),\n',
        '    ("LICENCE_BASE_URL", None, "LICENCE_BASE_URL is the sandbox\'s address"),\n',
    ),
    ("tests/tools/floors.py", '"BPM: its start, its callbacks",\n', '        "integrations.licence": "licences",\n'),
    (
        "docs/statuses.md",
        "| bpm | the work order |\n",
        "| `take_licence` | 办理许可证 | Take out licences | licence | a licence for each domain |\n",
    ),
]
CHANGED = [
    (
        "orders/intake/plan_or_hold.py",
        "PlannedStep(Step.CANCEL_TRIAL), create, bpm]",
        "create, ",
        "create, PlannedStep(Step.TAKE_LICENCE), ",
    ),
    ("tests/orders/test_plan.py", '"first": True}, [FETCH, CANCEL, CREATE, BPM', "CREATE", 'CREATE, "take_licence"'),
    ("tests/orders/test_plan.py", "[CHECK, FETCH, CANCEL, CREATE, BPM", "CREATE", 'CREATE, "take_licence"'),
    (SANDBOX, "from integrations.sandbox import bigdata, bpm\n", "bpm", "bpm, licence"),
]
WORDS = {"Licence server": "许可证服务器", "Take out licences": "办理许可证"}
TRIED = [
    "tests/flows/test_licence.py",
    "tests/orders",
    "tests/test_architecture.py",
    "tests/test_documents.py",
    "tests/test_migrations.py",
    "tests/test_locale.py",
    "tests/test_deployment.py::test_production_is_fine_with_its_settings",
    "tests/test_deployment.py::test_each_alone_is_enough",
    "tests/test_deployment.py::test_settings_takes_every_row_of_the_table",
    "tests/test_deployment.py::test_the_example_has_every_name",
    "tests/test_deployment.py::test_the_page_of_settings_explains_every_name",
    "tests/admin/test_order_page.py::test_tabs_fit_the_kind",
]  # tests that check each step, channel, partner and setting


@pytest.fixture
def checkout(tmp_path) -> Path:
    return copy_checkout(tmp_path / "checkout", without=["docs/screenshots"])


def run(checkout: Path, *words: str) -> None:
    """Runs Python in the copy, on SQLite, whatever part of the suite the present run executes."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("DESK_TEST_")}
    env = given | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *words], cwd=checkout, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def begin_template(checkout: Path) -> None:
    """Copies the migrated database into the copy as an unfinished template, so that only the new migration has to
    run.
    """
    cache = checkout / CACHE.name
    cache.mkdir()
    copy_file(cache / f"template-{state_of_migrations(checkout)}.sqlite3.unfinished")


def translate(checkout: Path) -> None:
    """Does the work of `make messages` and of a translator."""
    file = checkout / "project/locale/zh_Hans/LC_MESSAGES/django.po"
    catalogue = polib.pofile(str(file), wrapwidth=0)
    catalogue.extend(polib.POEntry(msgid=text, msgstr=word) for text, word in WORDS.items())
    catalogue.save()
    catalogue.save_as_mofile(str(file.with_suffix(".mo")))


def draw_floors(checkout: Path) -> None:
    """Updates the picture in docs/architecture.md, as that page requires: `python -m tests.tools.floors` prints it."""
    page = checkout / "docs/architecture.md"
    words = [sys.executable, "-m", "tests.tools.floors"]
    picture = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=True).stdout
    before, _, rest = page.read_text(encoding="utf-8").partition("```\n")
    page.write_text(f"{before}```\n{picture}```{rest.partition('```')[2]}", encoding="utf-8")


def test_a_partner_is_a_folder_and_its_rows(checkout):
    for name, place in PLACES.items():
        (checkout / place).parent.mkdir(exist_ok=True)
        shutil.copy(FILES / name, checkout / place)
    for name, line, row in ROWS:
        first, _newline, rest = line.partition("\n")
        change(checkout, name, line, f"{first}\n{row}{rest}")
    for name, place, old, new in CHANGED:
        change(checkout, name, place, place.replace(old, new))
    translate(checkout)
    draw_floors(checkout)
    run(checkout, "manage.py", "makemigrations", "orders", "--name", "licence")
    begin_template(checkout)
    run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TRIED)
