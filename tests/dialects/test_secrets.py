"""No secret of partners is on a page, in a command's output, in the log, in the trail or in an order's evidence."""

import contextlib
import io
import json
import re
import zipfile

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.urls import reverse

from integrations.bboss import caller_limits
from project.models import User
from project.trail.settings_trail import note_settings
from tests.harness.ports import free_port

SECRETS = {
    "BIGDATA_TOKEN": "bigdata-t0ken-4c1d",
    "BPM_TOKEN": "bpm-t0ken-77aa",
    "URL_KEY": "url-k3y-90ff",
    "BBOSS_APP_SECRET": "bboss-s3cret-12ab",
    "BPM_CALLBACK_SECRET": "callback-s3cret-55ee",
}
LINES = """
[bboss]
rename = { reqSign = "sign", tok = "accessToken" }
[bigdata]
headers = { Authorization = "Bearer ${BIGDATA_TOKEN}" }
post.path = "/productInfos?key=${URL_KEY}"
[bpm]
headers = { X-System = "ibs ${BPM_TOKEN}" }
start.path = "/flows/start?key=${URL_KEY}"
[bpm.callback]
check = "token"
header = "X-Token"
"""
WRONG = LINES.replace("Bearer ${BIGDATA_TOKEN}", "Basic ${BIGDATA_TOKEN}")
EACH = 2  # number of pages for each form of address
APPS = "orders|integrations|approvals|notifications"
SHOWN = re.compile(rf"/admin/({APPS})/(?!province|customer)\w+/\w+/change/(\?tab=\w+)?")
COMMANDS = [
    ["partners"], ["partners", "check"], ["show", "{}", "--json"], ["show", "{}", "--times"], ["stuck"],
    ["status", "--json"], ["status", "--probe"], ["audit", "--json"], ["check", "--deploy"], ["settings"],
    ["reconcile"], ["sign_message", "{file}"], ["send_order", "{file}", "--url", "{nowhere}"],
    ["verify_message", "{message}"],
]  # fmt: skip
OURS_TO_PRINT = {"sign_message"}  # its envelope contains the token


@pytest.fixture
def played(desk_of, monkeypatch, settings, tmp_path):
    """Returns a desk on which everything went wrong that can go wrong, and then right.

    Also returns an order's number.
    """
    caller_limits.strangers.clear()
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
        if hasattr(settings, name):
            setattr(settings, name, secret)
    settings.PARTNERS_FILE = str(tmp_path / "partners.toml")
    desk = desk_of(LINES, WRONG)
    note_settings()
    one, two, _three = desk.cases
    desk.at(one["clock_setup"])
    trial = one["setup"][0]
    desk.sent_message = desk.message(trial)[0]
    desk.send(trial, sign="0" * 32)
    desk.send(trial, accessToken=settings.BBOSS_ACCESS_TOKENS[0][:-1])
    desk.go_on(trial)  # 401
    there, settings.BIGDATA_BASE_URL = settings.BIGDATA_BASE_URL, f"http://127.0.0.1:{free_port()}/bigdata"
    desk.wait()
    settings.BIGDATA_BASE_URL, settings.PARTNER_PROXY = there, f"http://127.0.0.1:{free_port()}"
    desk.wait()
    settings.PARTNER_PROXY = ""
    desk.know(LINES)
    for kind, seconds in (("reset", 10), ("slow_drip", 0.1), ("garbage", 10)):
        settings.PARTNER_TIMEOUT_SECONDS = seconds
        desk.sandbox.fault("/bigdata/productInfos", kind, seconds=0.3)
        desk.wait()
    desk.command("resume", "bigdata")
    desk.command("resend", trial["OrderNum"])
    desk.sandbox.fault("/bpm/flows/start", "refusal")
    desk.go_on(one["content"])
    number = one["content"]["OrderNum"]
    refused = {"code": number, "X-Token": SECRETS["BPM_CALLBACK_SECRET"], "opinion": SECRETS["BPM_CALLBACK_SECRET"]}
    for token in ("wrong", SECRETS["BPM_CALLBACK_SECRET"]):
        how = {"content_type": "application/json", "headers": {"X-Token": token}}
        desk.client.post("/api/bpm/approvals", json.dumps(refused).encode(), **how)
    return desk, number


def test_no_secret_is_printed_logged_or_taken_along(played, caplog, settings, tmp_path):
    desk, number = played
    with free_of(settings) as look:
        (tmp_path / "message").write_bytes(desk.sent_message)
        (tmp_path / "content").write_text(json.dumps(desk.cases[0]["setup"][0]))
        places = {"file": tmp_path / "content", "message": tmp_path / "message"}
        places["nowhere"] = f"http://127.0.0.1:{free_port()}/"
        for words in COMMANDS:
            look(" ".join(words), printed([word.format(number, **places) for word in words]), words[0])
        call_command("evidence", number, str(tmp_path / "evidence.zip"))
        with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
            for name in archive.namelist():
                look(f"evidence: {name}", archive.read(name).decode(errors="replace"))
        look("the log", caplog.text)


@pytest.mark.whole
def test_no_secret_is_on_a_page(played, settings):
    desk, _number = played
    with free_of(settings) as look:
        for url, page in pages(desk.client):
            look(url, page)


@contextlib.contextmanager
def free_of(settings):
    """Yields `look(where, text)`, which notes the secrets in a text. At the end, asserts that there were none."""
    secrets, found, seen = {*SECRETS.values(), *settings.BBOSS_ACCESS_TOKENS}, [], 0

    def look(where: str, text: str, command: str = "") -> None:
        nonlocal seen
        seen += 1
        allowed = {*settings.BBOSS_ACCESS_TOKENS} if command in OURS_TO_PRINT else set()
        found.extend(
            f"{where}: {text[max(text.index(one) - 90, 0) : text.index(one) + 40]}"
            for one in secrets - allowed
            if one in text
        )

    yield look
    assert found == []
    assert seen > 20


def printed(words: list[str]) -> str:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.suppress(SystemExit):
        try:
            call_command(*words, stdout=out, stderr=err)
        except CommandError as error:
            err.write(str(error))
    return out.getvalue() + err.getvalue()


def pages(client):
    """Yields the staff's pages to which links lead, at most EACH pages for each form of address."""
    client.force_login(User.objects.create_superuser("root"))
    todo = [reverse("admin:index")]
    todo += [reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist") for model in admin.site._registry]
    forms: dict[str, int] = {}
    while todo:
        url = todo.pop(0)
        answer = client.get(url)
        if answer.status_code != 200 or "html" not in answer["Content-Type"]:
            continue
        page = answer.content.decode()
        yield url, page
        for link in re.findall(r'href="([^"#]+)', page):
            link = url.partition("?")[0] + link if link.startswith("?") else link
            form = re.sub(r"\d+", "1", link)
            if SHOWN.fullmatch(link) and forms.get(form, 0) < EACH and link not in todo:
                forms[form] = forms.get(form, 0) + 1
                todo.append(link.replace("&amp;", "&"))
