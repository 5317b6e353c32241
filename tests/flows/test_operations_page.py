"""The examples in docs/operations.md, accounts.md and partners.md are real output. This test plays their broken
orders, command by command. printed.txt has what commands print besides.

A line `…` stands for omitted lines. Only commands that need a process of their own are not played.
"""

import contextlib
import datetime
import functools
import getpass
import io
import json
import pathlib
import re
import shlex
import time
import types

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.utils import timezone

from integrations.management.commands import resend
from orders.models import Order, OrderEvent
from tests import factories
from tests.entering.workbooks import row, workbook
from tests.files import books
from tests.flows.conftest import BILLING, BPM, DELETE
from tests.flows.contents import activation, change, trial, withdrawal
from tests.sources import source

PAGE = "".join(source(f"docs/{name}.md") for name in ("operations", "accounts", "partners"))
PRINTED = source("tests/flows/printed.txt")
ELSEWHERE = {"worker", "sandbox", "backup", "restore", "send_order", "sign_message", "verify_message", "audit"}
"""Processes, and what is new each time; `audit` is held to its form by tests/admin/test_audit_command.py."""
APPS = {"orders", "integrations", "notifications", "approvals", "project"}
FILE = "A1_50004020027_20230920185436.xlsx"


def shown(pages: str) -> list[tuple[str, list[str]]]:
    """Returns (command line, its output) of every example in the pages."""
    examples = []
    for indent, language, text in re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", pages, re.DOTALL | re.MULTILINE):
        # examples in `sh` have command lines without output
        for line in text.splitlines() if language != "sh" else ():
            line = line.removeprefix(indent)
            if line.startswith("$ "):
                examples.append((line.removeprefix("$ "), []))
            elif examples:
                examples[-1][1].append(line)
    return [(line.removeprefix("manage.py "), output) for line, output in examples if line.startswith("manage.py ")]


def as_production_prints(line: str) -> str:
    """Removes the quotes around an argument's choices, which Python 3.11 prints. Newer versions, as in production, do
    not print them."""
    return re.sub(r"\(choose from .*\)", lambda found: found[0].replace("'", ""), line)


class Terminal:
    """Runs commands as a shell does, also with wrong arguments, and keeps what each command printed."""

    def __init__(self):
        self.printed: list[tuple[str, list[str]]] = []

    def __call__(self, line: str) -> None:
        name, *arguments = shlex.split(line)
        command, out = load_command_class(get_commands()[name], name), io.StringIO()
        command._called_from_command_line = True  # otherwise a wrong argument raises CommandError
        command.create_parser = functools.partial(self._create_parser, command.create_parser)
        try:
            with contextlib.redirect_stderr(out):
                call_command(command, *arguments, stdout=out)
        except CommandError as error:
            out.write(f"CommandError: {error}\n")
        except SystemExit as ended:
            if ended.code not in {2, 3}:  # 2: wrong arguments; 3: a second person was asked
                raise
        self.printed.append((line, out.getvalue().splitlines()))

    @staticmethod
    def _create_parser(create, program: str, name: str, **options):
        return create("manage.py", name, **options)


def beat():
    """Creates the heartbeat of a worker that is alive."""
    factories.HeartbeatFactory(seen_at=timezone.now() - datetime.timedelta(seconds=4))


def attribution(desk, run):
    desk.play(trial("T2", "t2.example.com", EnterpriseID="000A23100079275183"))
    run("status")
    run("show T2")
    run('attribute T2 XX --reason "客户经理确认"')
    run('attribute T2 GD --reason "客户经理确认"')
    desk.deliver()
    run('attribute T2 GD --reason "客户经理确认"')


def files(desk, run, folder):
    for number in ("A1", "A2"):
        desk.play(trial(f"T{number}", f"{number.lower()}.example.com"))
        desk.play(activation(number, of=f"T{number}", InfoSecurity=FILE.replace("A1", number)))
    books.write(folder, FILE, books.book())
    (folder / FILE).unlink()
    run("check_attachments A1")
    books.write(folder, FILE, books.book())
    run("check_attachments A1")
    desk.deliver()
    run('waive A2 --reason "信安已邮件确认"')
    run('waive A2 --reason "信安已邮件确认"')
    desk.deliver()


def bpm_refuses(desk, run):
    desk.play(trial("T3", "t3.example.com"))
    desk.sandbox.fault(path=BPM, kind="refusal", message="域名未备案")
    desk.play(activation("A3", of="T3"))
    run("show A3")
    run("resend A3 --dry-run")
    run('resend A3 --wait --reason "域名已备案"')


def trial_stuck(desk, run):
    desk.sandbox.fault(path=BILLING, kind="503", count=3)
    desk.play(trial("T4", "t4.example.com"), activation("A5", of="T4"))
    desk.wait_out()
    run("stuck")
    lina = factories.UserFactory(username="lina", display_name="李娜")
    lina.groups.set(Group.objects.filter(name="工程师"))
    run('own T4 --to lina --reason "on duty"')
    run("stuck")
    run("own T4 --nobody")
    run("show A5")
    run("show T4")
    run("resend A5")
    run("resend T4 --dry-run")
    run("resend --failed --partner bigdata --dry-run")
    run('resend T4 --wait --reason "big data up again"')
    run("resend T4 --failed")


def half_undone(desk, run):
    desk.play(trial("T6", "t6.example.com"), activation("A6", of="T6"))
    desk.sandbox.fault(path=DELETE, kind="refusal", message="话单已锁定")
    run('compensate T6 --reason "重复开通"')
    run('compensate A6 --reason "重复开通"')
    desk.deliver()
    run("show A6")
    run('resend A6 --wait --reason "big data unlocked it"')
    run("show A6")


def scheduled(desk, run):
    desk.play(trial("T8", "t8.example.com"), activation("A8", of="T8", start="20230930"))
    run("activate A8")
    run("activate --due")
    run("reconcile A8")
    run("fetch_usage T8")
    run("fetch_usage A8")
    # A5 cancelled records that unanswered calls of T4 may still create, so the last query comes after ten minutes
    desk.wait_out()
    desk.at("2023-09-30 00:00:10")
    run("activate --due")
    run("deliver --until-idle")
    run('restored --reason "BBOSS checked"')


def differing(desk, run):
    desk.play(trial("T9", "t9.example.com"))
    store = desk.sandbox.partners.store
    store.delete_record(store.records("T9")[0])
    run("reconcile T9")
    run("reconcile T9 --fix")
    desk.deliver()
    run("reconcile T9")
    desk.play(trial("T7", "t7.example.com"))
    record = store.records("T7")[0]
    store.put_record(record | {"domain": "x.example.com"})
    run("reconcile T7 --fix")
    run('reconcile T7 --fix --reason "客户经理确认误下发"')
    desk.deliver()
    store.put_record(record | {"jobId": "A77", "infoType": "2", "productId": "61000616304"})
    pathlib.Path("numbers.txt").write_text("T7\nA77\n")
    run("reconcile T7 T9 --numbers numbers.txt")
    run("reconcile --numbers T7")


def refused_for_good(desk, run):
    desk.sandbox.fault(path=BILLING, kind="refusal", message="客户已销户")
    desk.play(trial("T10", "t10.example.com"), change("C10", "t10.example.com", "n10.example.com", of="T10"))
    run('give_up T10 --reason "客户已销户" --dry-run')
    run('give_up T10 --reason "客户已销户"')
    run('give_up T10 --reason "客户已销户"')
    run('withdraw C10 --reason "试用单已放弃"')
    desk.deliver()


def deletion_refused_for_good(desk, run):
    desk.play(trial("T11", "t11.example.com"), activation("A11", of="T11"))
    desk.sandbox.fault(path=DELETE, kind="refusal", message="话单已出账", count=3)
    desk.play(withdrawal("A11"))
    run('give_up A11 --step delete_billing --reason "已与大数据侧确认，无法删除"')
    desk.wait_out()
    run("stuck")
    run('accept A11 billed_not_active --reason "客户经理同意计费"')
    desk.deliver()


def closed_trial(desk, run):
    desk.play(trial("T12", "t12.example.com"), withdrawal("T12"), activation("A12", of="T12"))
    run('proceed A12 --reason "客户经理确认开通"')
    desk.deliver()
    run('proceed A12 --reason "客户经理确认开通"')


def no_domains(desk, run):
    desk.play(activation("A13", "a13.example.com", of="T13"), activation("A14", of="T13"))
    desk.play(trial("T13", "t13.example.com"))
    run('name_domains A14 *.example.com --reason "客户经理提供"')
    run('name_domains A14 www.example.com img.example.com --reason "客户经理提供"')
    desk.deliver()


def rejected_by_mistake(desk, run):
    desk.decided("A14", "reject", "bpm-14-1")
    desk.approve("A14", "pass", "bpm-14-2")
    run("show A14")
    run('decide A14 bpm-14-2 --reason "SA 误驳回"')
    desk.deliver()
    run('decide A14 pass --reason "SA 误驳回"')


def books_differ(desk, run):
    desk.play(trial("T15", "t15.example.com"))
    desk.order("T15").billing_records.update(state="deleted")
    run("reconcile T15")
    run('take T15 --reason "大数据侧为准"')
    run('take T15 --reason "大数据侧为准"')


def withdrawn_late(desk, run):
    desk.play(trial("T16", "t16.example.com"), activation("A16", of="T16"))
    desk.at("2023-10-20 09:00:00")
    desk.play(withdrawal("A16"))
    run("show A16")
    run('withdraw A16 --reason "客户要求"')
    run('withdraw A16 --cancel --reason "客户要求" --dry-run')
    run('withdraw A16 --cancel --reason "客户要求"')
    desk.deliver()


def maintenance(desk, run, settings):
    settings.PARTNER_RATE = 10
    desk.play(trial("T17", "t17.example.com"), activation("A17", of="T17", start="20231021"))
    run('pause bigdata --reason "大数据侧升级" --until 2023-10-21T06:00')
    desk.play(trial("T18", "t18.example.com"))
    run("show T18")
    run("reconcile T17")
    desk.sweep("2023-10-21 05:00:00")
    run("resume bigdata")
    run("resume bigdata")
    run('pause mail --reason "邮件网关更换"')
    run("pause files --reason x")
    run("resume mail")


def trials_by_mail(desk, run):
    right = workbook(row("T19"), row("T20"))
    pathlib.Path("trials.xlsx").write_bytes(workbook(row("T19"), row("T20", EnterpriseName=None, BizStart=45189)))
    run("import_trials trials.xlsx --dry-run")
    pathlib.Path("trials.xlsx").write_bytes(right)
    run("import_trials trials.xlsx")
    run("import_trials trials.xlsx")
    desk.deliver()


def wrong(desk, run):
    run("show NOPE")
    run("show 8")
    run('erase --order A3 --reason "客户要求" --dry-run')
    run("erase --phone 13900000000 --reason 客户要求")
    run("prune --older-than 1")
    run("prune --older-than 180")
    run("prune --older-than 180 --refused-older-than 7")
    run('export orders trials.xlsx --query "state=trialing&attribution=BJ"')
    run('export orders trials.xlsx --query "state=stuck"')
    run('export billing all.csv --query "colour=red"')
    run("evidence A3 a3.zip")
    run("evidence A3 a3.zip --personal")
    run("setup_schedules")
    run("version")
    run("migrate")
    run("settings")
    factories.UserFactory(username="keeper")
    run("emergency_account keeper --by li")


def moving(desk, run):
    desk.play(trial("T31", "t31.example.com", BizEnd="20231102"), activation("A31", of="T31", start="20231030"))
    run('move_start A31 20231019 --reason "客户要求"')
    run('move_start A31 20231110 --reason "客户要求" --dry-run')
    run('move_start A31 20231110 --reason "客户要求"')
    run('move_start A31 20231115 --reason "客户要求"')
    desk.play(trial("T32", "t32.example.com", BizEnd="20231102"))
    run('move_end A31 20231110 --reason "客户要求"')
    run('move_end T32 20231110 --reason "客户要求" --dry-run')


def second_person(run, settings):
    settings.FOUR_EYES, settings.SITE_URL = {"withdraw": 0, "export_personal": 0}, "https://desk.example.com"
    li = factories.UserFactory(username="li")
    li.groups.set(Group.objects.filter(name__in=["业务人员", "审批主管"]))
    run('withdraw A31 --reason "客户来电" --by li')
    run('evidence A31 a31.zip --personal --reason "仲裁" --by li')
    run('export orders a31.xlsx --query "q=A31" --personal --reason "仲裁" --by li')
    run('withdraw A31 --reason "客户来电，夜间无人复核" --by li --emergency')


@pytest.fixture
def printed(desk, settings, tmp_path, monkeypatch) -> list[tuple[str, list[str]]]:
    """Returns all that the pages' commands print."""
    settings.DISPATCH_RETRY_SECONDS = [30, 120]
    monkeypatch.setattr(getpass, "getuser", lambda: "li")
    monkeypatch.chdir(tmp_path)
    worker = types.SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: desk.deliver())
    monkeypatch.setattr(resend, "time", worker)  # the worker works while `--wait` sleeps
    monkeypatch.setattr("orders.outbox.retry_schedule.random.uniform", lambda low, high: 1.0)
    run = Terminal()
    beat()
    attribution(desk, run)
    files(desk, run, tmp_path)
    bpm_refuses(desk, run)
    half_undone(desk, run)
    trial_stuck(desk, run)
    differing(desk, run)
    refused_for_good(desk, run)
    deletion_refused_for_good(desk, run)
    closed_trial(desk, run)
    no_domains(desk, run)
    rejected_by_mistake(desk, run)
    books_differ(desk, run)
    scheduled(desk, run)
    withdrawn_late(desk, run)
    maintenance(desk, run, settings)
    trials_by_mail(desk, run)
    wrong(desk, run)
    moving(desk, run)
    second_person(run, settings)
    partners(run, tmp_path)
    return run.printed


def partners(run, folder):
    (folder / "answer.json").write_text('{"code": 0, "message": "成功"}')
    (folder / "partners.toml").write_text('[bpm.start]\npth = "/flows"\n')
    run("partners read bigdata.post answer.json")
    run("partners check partners.toml")
    run("partners try bigdata.query --order T9 --send")


def fits(told: list[str], output: list[str]) -> bool:
    """Returns True if the page's lines are those of the output. A line `…` stands for any omitted lines, and a row's
    key stands for any key."""
    pattern = "".join("(?:.*\n)*?" if line.strip() == "…" else re.escape(line.rstrip()) + " *\n" for line in told)
    pattern = re.sub(r"/\d+/change/", r"/\\d+/change/", pattern)  # PostgreSQL's keys continue from test to test
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in output)) is not None


@pytest.mark.whole
def test_each_example_is_what_is_printed(printed):
    wrong = []
    assert len(shown(PAGE)) > 10
    assert len(shown(PRINTED)) > 80
    for line, told in [*shown(PAGE), *shown(PRINTED)]:
        if line.split()[0] not in ELSEWHERE:
            outputs = [[*map(as_production_prints, output)] for command, output in printed if command == line]
            if not any(fits(told, output) for output in outputs):
                wrong.append("\n".join([f"$ {line}", *told, "--- is printed as", *("\n".join(o) for o in outputs)]))
    assert wrong == [], "\n\n".join(wrong)
    assert OrderEvent.objects.filter(kind="resend", actor="command:li").exists()


def test_its_order_files_are_carried_out(desk):
    trial_file, activation_file = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", PAGE, re.S | re.M)]
    desk.play(trial_file, activation_file)
    assert Order.objects.get(number=activation_file["OrderNum"]).trial.number == trial_file["OrderNum"]
    assert desk.sandbox.state()["processes"]


def test_every_command_of_ours_has_an_example():
    ours = {name for name, app in get_commands().items() if str(app).split(".")[0] in APPS}
    assert len(ours) == 44
    assert ours - {line.split()[0] for line, _ in [*shown(PAGE), *shown(PRINTED)]} == set()


@pytest.mark.parametrize(
    "told, output, right",
    [
        (["a", "…", "c"], ["a", "b", "b", "c"], True),
        (["a", "c"], ["a", "b", "c"], False),
        (["a"], ["a", "b"], False),
        (["a.c"], ["abc"], False),
        (["/admin/a/1/change/"], ["/admin/a/343/change/"], True),
        (["/admin/a/1/change/"], ["/admin/b/1/change/"], False),
    ],
)
def test_the_comparison_sees(told, output, right):
    assert fits(told, output) is right
