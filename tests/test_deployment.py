"""A deployment that can't work does not start. `check --deploy` and `settings` show what a site has set."""

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as live_settings
from django.contrib.auth.models import Group, Permission
from django.core.checks import ERROR, run_checks
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from project import production
from project.base.settings_table import SETTINGS, TABLE, Environment, certificate_files, grants
from project.checks import TAG
from project.database.database_settings import database_entry
from project.deploy_checks import database_in_clear, open_settings_file
from tests import factories
from tests.partners.certificates import Authority
from tests.template import copy_file

ROOT = Path(__file__).resolve().parent.parent
GUNICORN = ("-m", "gunicorn", "project.wsgi", "--bind", "127.0.0.1:0", "--workers", "2", "--no-control-socket")
NAMES = [setting.name for setting in SETTINGS]
PRODUCTION = {
    "BBOSS_ENV_FLAG": "1",
    "BBOSS_ALLOWED_IPS": "10.0.0.1",
    "BPM_BASE_URL": "https://bpm.example.com/bpm",
    "BIGDATA_BASE_URL": "https://bigdata.example.com/bigdata",
    "BPM_CALLBACK_SECRET": "k3Tq8Zr1Wm5Yb7Nc",
    "EMAIL_URL": "smtp://mail.example.com",
    "SITE_URL": "https://ibs.example.com",
    "DEFAULT_CONTACT_MAIL": "desk@example.com",
}
LACKING = [
    ("BPM_BASE_URL", None, "BPM_BASE_URL is the sandbox's address"),
    ("BIGDATA_BASE_URL", None, "BIGDATA_BASE_URL is the sandbox's address"),
    ("BPM_CALLBACK_SECRET", "", "BPM_CALLBACK_SECRET is empty: it signs BPM's approvals"),
    ("SITE_URL", None, "SITE_URL is empty: links in mails lead there"),
    ("DEFAULT_CONTACT_MAIL", None, "DEFAULT_CONTACT_MAIL is empty: it gets what no attribution's SA gets"),
    ("EMAIL_URL", None, "EMAIL_URL is not set: no mail would leave this machine"),
]


def python(*words: str, **environment: str | None) -> subprocess.CompletedProcess:
    """Runs Python in a process of its own. The value None removes a variable from its environment."""
    given = (
        os.environ | {"DJANGO_SETTINGS_MODULE": "project.settings", "DATABASE_URL": "sqlite://:memory:"} | environment
    )
    env = {name: value for name, value in given.items() if value is not None}
    return subprocess.run([sys.executable, *words], env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def manage(*words: str, **environment: str | None) -> subprocess.CompletedProcess:
    return python("manage.py", *words, **environment)


# --- production starts only with the settings that it needs


@pytest.mark.parametrize("command", [["worker"], ["show", "X"], ["send_order", "x.json"]])
def test_production_names_all_that_is_missing_one_line_each(command):
    ended = manage(*command, **PRODUCTION | {name: value for name, value, _ in LACKING})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [f"manage.py: {said}" for *_, said in LACKING]


@pytest.mark.parametrize("name, value, said", LACKING)
def test_each_alone_is_enough(name, value, said):
    ended = manage("worker", **PRODUCTION | {name: value})
    assert (ended.returncode, ended.stderr) == (1, f"manage.py: {said}\n")


def test_the_web_process_does_not_start_either():
    ended = python(*GUNICORN, **PRODUCTION | {name: value for name, value, _ in LACKING})
    assert ended.returncode == 1
    greeting, *lines = ended.stderr.splitlines()
    assert "Starting gunicorn" in greeting
    assert lines == [f"the web process can't start: {said}" for *_, said in LACKING]


def test_what_loads_the_web_process_otherwise_names_them_too():
    ended = python("-c", "import project.wsgi", **PRODUCTION | {"SITE_URL": None})
    assert ended.returncode == 4  # at this code gunicorn stops, and does not start one worker after the other
    assert "the web process can't start: ?: (desk.010) SITE_URL is empty" in ended.stderr
    assert "Traceback" not in ended.stderr


STARTS = ["import project.wsgi", "from project.start.command_line import run; run(['manage.py', 'check'])"]


@pytest.mark.parametrize("start", STARTS)
def test_the_garbage_collector_waits_until_all_is_loaded_and_no_longer(start):
    ended = python("-c", f"import gc; {start}; print('collects:', gc.isenabled(), gc.get_freeze_count() > 10_000)")
    assert "collects: True True" in ended.stdout, ended.stderr


@pytest.mark.parametrize("command", [["settings"], ["collectstatic", "--dry-run", "--noinput"], ["migrate", "--plan"]])
def test_what_installs_and_looks_runs_all_the_same(command):
    ended = manage(*command, **PRODUCTION | {name: value for name, value, _ in LACKING})
    assert (ended.returncode, ended.stderr) == (0, "")


def test_check_runs_and_names_them():
    ended = manage("check", **PRODUCTION | {"SITE_URL": None})
    assert ended.returncode == 1
    assert "(desk.010) SITE_URL is empty" in ended.stderr


def test_with_all_of_it_production_runs():
    ended = manage("show", "X", **PRODUCTION)
    assert "SITE_URL" not in ended.stderr
    assert "the database does not answer, or lacks its migrations" in ended.stderr


def test_test_data_needs_none_of_it():
    ended = manage("check", **{name: value for name, value, _ in LACKING if name != "BPM_CALLBACK_SECRET"})
    assert ended.returncode == 0


def test_production_is_fine_with_its_settings(settings):
    for name, value in PRODUCTION.items():
        setattr(settings, name, [value] if name == "BBOSS_ALLOWED_IPS" else value)
    assert run_checks(tags=[TAG]) == []
    settings.SITE_URL = ""
    assert [(message.level, message.id) for message in run_checks(tags=[TAG])] == [(ERROR, production.CHECK)]


def test_the_sandbox_refuses_production(settings):
    settings.BBOSS_ENV_FLAG = "1"
    with pytest.raises(CommandError, match="BBOSS_ENV_FLAG is 1"):
        call_command("sandbox", port=0)


def test_all_that_cannot_be_read_is_named_at_once():
    ended = manage("check", LOG_LEVEL="loud", BREAKER_FAILURES="many", SECRET_KEY="")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "manage.py: SECRET_KEY is not set (a development machine may set DEBUG=true instead)",
        "manage.py: BREAKER_FAILURES must be a whole number, not 'many'",
        "manage.py: LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not 'LOUD'",
    ]


@pytest.mark.parametrize("words", [("manage.py", "worker"), ("-c", "import project.wsgi")])
@pytest.mark.parametrize(
    "name, value, said",
    [
        ("AUDIT_DAYS", "179", "AUDIT_DAYS must be at least 180, not 179"),
        ("PARTNER_CA_BUNDLE", "/nowhere/ca.pem", "PARTNER_CA_BUNDLE: /nowhere/ca.pem: No such file or directory"),
    ],
)
def test_neither_web_nor_worker_starts_with_a_wrong_value(words, name, value, said):
    ended = python(*words, **PRODUCTION | {name: value})
    assert ended.returncode != 0
    assert said in ended.stderr


@pytest.mark.skipif(connection.vendor != "sqlite", reason="what starts is the same on both")
def test_with_passwords_for_an_emergency_alone_nothing_starts_before_an_account_is_marked(tmp_path):
    copy_file(tmp_path / "desk.sqlite3")
    given = {"DATABASE_URL": f"sqlite:///{tmp_path / 'desk.sqlite3'}", "STATE_DIR": str(tmp_path)}
    given |= {"PASSWORD_LOGIN": "emergency", "SITE_URL": "http://127.0.0.1:8000"}
    password = {"DJANGO_SUPERUSER_PASSWORD": "Xuanwu-Lake-1368"}
    made = manage("createsuperuser", "--noinput", "--username=keeper", "--email=k@example.com", **given, **password)
    assert made.returncode == 0, made.stderr
    for words in (("manage.py", "worker"), ("manage.py", "show", "X"), GUNICORN):
        ended = python(*words, **given)
        assert ended.returncode != 0
        assert "no account that is marked for it can log in" in ended.stderr
    marked = manage("emergency_account", "keeper", **given)
    assert (marked.returncode, marked.stderr) == (0, "")
    assert "set its password within 30 minutes, once: http://127.0.0.1:8000/" in marked.stdout
    started = python("-c", "import project.wsgi", **given)
    assert (started.returncode, "web starts" in started.stdout + started.stderr) == (0, True)


# --- check --deploy


def doubts() -> list[str]:
    found = run_checks(tags=[TAG], include_deployment_checks=True)
    return [message.msg for message in found if message.id.startswith("desk.1")]


@pytest.fixture
def fine(settings, tmp_path, db):
    """A deployment about which `check --deploy` has no doubts."""
    for role in ("业务人员", "工程师", "管理员", "审批主管") * 2:
        factories.UserFactory().groups.add(Group.objects.get(name=role))
    settings.SECRET_KEY = "n5Kd8fXqL2vR7wTzB4mYc9"
    settings.BBOSS_APP_SECRET = "Wq7Zx2Lp9Vt4Rk8Nm3Bc"
    settings.BPM_CALLBACK_SECRET = "Hy6Jd1Gs0Pf5Ma2Ue8To"
    settings.BBOSS_RATE = "600/min"
    settings.SESSION_MAX_HOURS = 12
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.ATTACHMENT_DIR = settings.EXPORT_DIR = tmp_path
    settings.ENVIRONMENT = Environment(tmp_path / "no.env")
    settings.ENVIRONMENT.own = {"DATABASE_URL": "set"}
    return settings


def token(days: float) -> str:
    ends = timezone.localtime() + datetime.timedelta(days=days)
    return f"{ends:%Y%m%d%H%M%S}{'c' * 32}-1234-1700000000"


@pytest.mark.django_db
def test_a_careful_deployment_leaves_no_doubt(fine):
    assert doubts() == []


REAL = {"BBOSS_ENV_FLAG": "1", "MFA_REQUIRED": "administrators"}
DOUBTS = [
    ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, "sends no mail to anybody"),
    ({"DEFAULT_FROM_EMAIL": "43"}, "DEFAULT_FROM_EMAIL is no mail address: '43'"),
    ({"DEFAULT_FROM_EMAIL": "IBS <desk>"}, "DEFAULT_FROM_EMAIL is no mail address"),
    ({"BBOSS_APP_SECRET": "Wq7Zx2Lp9"}, "BBOSS_APP_SECRET has 9 characters"),
    ({"BPM_CALLBACK_SECRET": "change-me-before-production"}, "BPM_CALLBACK_SECRET looks like an example's"),
    ({"SECRET_KEY": "aaaaaaaaaaaaaaaaaaaaaaaa"}, "SECRET_KEY looks like an example's"),
    ({"BBOSS_ACCESS_TOKENS": [token(-1)]}, "token 1 expired"),
    ({"BBOSS_ACCESS_TOKENS": [token(13)]}, "token 1 expires"),
    ({"HTTPS_ONLY": True, "TRUSTED_PROXY_COUNT": 0}, "TRUSTED_PROXY_COUNT is 0 with HTTPS_ONLY"),
    ({"ALLOWED_HOSTS": ["*"]}, "ALLOWED_HOSTS is *"),
    ({"METRICS_ALLOWED_IPS": ["10.0.0.1", "0.0.0.0/0"]}, "METRICS_ALLOWED_IPS lets everybody"),
    ({"BBOSS_TIMESTAMP_SKEW_SECONDS": 0}, "BBOSS_TIMESTAMP_SKEW_SECONDS is 0"),
    ({"BBOSS_RATE": ""}, "BBOSS_RATE is empty"),
    ({"OIDC_ISSUER": "https://id.example.com", "SESSION_MAX_HOURS": 0}, "SESSION_MAX_HOURS is 0 with OIDC_ISSUER"),
    (REAL, "BBOSS_ALLOWED_IPS is empty with production data"),
    (REAL | {"BBOSS_ALLOWED_IPS": ["10.0.0.1", "::/0"]}, "BBOSS_ALLOWED_IPS lets everybody post"),
    (REAL | {"BBOSS_ALLOWED_IPS": ["10.0.0.1"], "MFA_REQUIRED": "nobody"}, "MFA_REQUIRED is nobody and OIDC_ISSUER"),
    ({"ATTACHMENT_DIR": Path("/nowhere/at/all")}, "ATTACHMENT_DIR: /nowhere/at/all is no folder"),
    ({"EXPORT_DIR": Path("/nowhere/at/all")}, "EXPORT_DIR: /nowhere/at/all is no folder"),
    ({"BPM_BASE_URL": "http://bpm.example.com/bpm"}, "BPM_BASE_URL is http"),
    ({"BIGDATA_BASE_URL": "http://10.0.0.7:8090/bigdata"}, "BIGDATA_BASE_URL is http"),
    ({"EMAIL_HOST": "mail.example.com", "EMAIL_USE_TLS": False}, "EMAIL_URL: mail.example.com is reached without TLS"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("given, said", DOUBTS, ids=[said for _, said in DOUBTS])
def test_a_doubt_is_named_alone(fine, given, said):
    for name, value in given.items():
        setattr(fine, name, value)
    [doubt] = doubts()
    assert said in doubt


NAMED = REAL | {"BBOSS_ALLOWED_IPS": ["10.0.0.1"]}
NO_DOUBTS = {
    "mail by TLS": {"EMAIL_HOST": "mail.example.com", "EMAIL_USE_TLS": True},
    "mail by SSL": {"EMAIL_HOST": "mail.example.com", "EMAIL_USE_SSL": True},
    "production data behind named addresses": NAMED,
    "a company log-in": NAMED | {"MFA_REQUIRED": "nobody", "OIDC_ISSUER": "https://sso.example.com"},
    "a token that lasts": {"BBOSS_ACCESS_TOKENS": [token(15)]},
    "a network that desk.003 names": {"METRICS_ALLOWED_IPS": ["localhost"]},
}


@pytest.mark.django_db
@pytest.mark.parametrize("given", NO_DOUBTS.values(), ids=NO_DOUBTS)
def test_what_is_as_it_should_be_is_no_doubt(fine, given):
    for name, value in given.items():
        setattr(fine, name, value)
    assert doubts() == []


@pytest.mark.parametrize(
    "address, doubtful",
    [
        ("postgres://ibs:p@db1:5432/ibs", True),
        ("postgres://ibs:p@127.0.0.1,10.0.0.7/ibs?sslmode=prefer", True),
        ("postgres:///ibs?host=db1", True),
        ("postgres://ibs:p@db1:5432,db2:5432/ibs?sslmode=require", False),
        ("postgres://ibs:p@db1/ibs?sslmode=verify-full", False),
        ("postgres://ibs:p@[::1]:5432/ibs", False),
        ("postgres://ibs:p@%2Fvar%2Frun%2Fpostgresql/ibs", False),
        ("postgres:///ibs", False),
        ("sqlite:////var/lib/ibs/desk.sqlite3", False),
    ],
)
def test_a_database_on_another_machine_wants_tls(monkeypatch, address, doubtful):
    monkeypatch.setitem(live_settings.DATABASES, "default", database_entry(address))
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert any("sslmode" in text for text in database_in_clear()) == doubtful
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert any("sslmode" in text for text in database_in_clear()) == ("=prefer" in address)


@pytest.mark.parametrize("mode, doubtful", [(0o640, False), (0o600, False), (0o644, True), (0o642, True)])
def test_a_file_of_settings_is_for_its_owner_and_group(settings, tmp_path, mode, doubtful):
    file = tmp_path / "ibs.env"
    file.write_text("# secrets\n")
    file.chmod(mode)
    (tmp_path / ".env").symlink_to(file)
    settings.ENVIRONMENT = Environment(tmp_path / ".env")
    assert list(open_settings_file()) == (
        [f"{tmp_path / '.env'} holds secrets and is open to all accounts; run chmod o= on it."] if doubtful else []
    )


@pytest.mark.django_db
@pytest.mark.parametrize("days, said", [(-1, "expired on"), (13, "expires on"), (15, "")])
def test_a_client_certificate_that_ends_is_a_doubt(fine, tmp_path, days, said):
    ends = timezone.now() + datetime.timedelta(days=days)
    path = Authority(tmp_path).issue("ibs.example.com", until=ends)
    fine.PARTNER_CLIENT_CERT = (path, path)
    moment = f"{timezone.localtime(ends):%Y-%m-%d %H:%M}"
    assert doubts() == ([f"PARTNER_CLIENT_CERT {said} {moment}."] if said else [])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name, value, said",
    [
        ("DEFAULT_CONTACT_TEL", "", "DEFAULT_CONTACT_TEL is set and empty"),
        ("BBOSS_DOMAIN", "$DOMAIN", "BBOSS_DOMAIN begins with $, which is read literally"),
        ("BBOS_RATE", "600/min", "BBOS_RATE is no setting of ours; BBOSS_RATE is"),
        ("BBOSS_TIMEOUT", "3", "BBOSS_TIMEOUT is no setting of ours"),
    ],
)
def test_what_was_written_is_looked_at(fine, name, value, said):
    fine.ENVIRONMENT.own = {"DATABASE_URL": "set", name: value}
    [doubt] = doubts()
    assert said in doubt


@pytest.mark.django_db
def test_the_file_may_hold_no_name_that_nobody_reads(fine):
    fine.ENVIRONMENT.own |= {"HOME": "/root", "TERM": "linux", "DEBUGINFOD_URLS": "x"}
    fine.ENVIRONMENT.file = {"ATTACHMENT": "x", "HTTPS_PROXY": "x", "ANYMAIL_MAILGUN_API_KEY": "x"}
    assert doubts() == ["ATTACHMENT is no setting of ours."]


def test_check_deploy_has_no_warning_for_production(tmp_path):
    database = tmp_path / "desk.sqlite3"
    database.touch()
    careful = PRODUCTION | {
        "EMAIL_URL": "smtp+tls://mail.example.com:587",
        "SECRET_KEY": "n5Kd8fXqL2vR7wTzB4mYc9Ux3Ja6Pe1Gh0Vs5Do8Wi2Nk7Cb4Rt",
        "BBOSS_APP_SECRET": "Wq7Zx2Lp9Vt4Rk8Nm3Bc",
        "BBOSS_ACCESS_TOKENS": token(365),
        "BPM_CALLBACK_SECRET": "Hy6Jd1Gs0Pf5Ma2Ue8To",
        "ALLOWED_HOSTS": "ibs.example.com",
        "MFA_REQUIRED": "everybody",
        "MFA_KEY": Fernet.generate_key().decode(),
        "HTTPS_ONLY": "true",
        "TRUSTED_PROXY_COUNT": "1",
        "DATABASE_URL": f"sqlite:///{database}",
        "ATTACHMENT_DIR": str(tmp_path),
        "EXPORT_DIR": str(tmp_path),
        "STATE_DIR": str(tmp_path),
    }
    ended = manage("check", "--deploy", **dict.fromkeys(NAMES) | careful)
    assert (ended.returncode, re.findall(r"^\S+ \((\S+)\) ", ended.stderr, re.MULTILINE)) == (0, []), ended.stderr


def test_a_database_that_is_away_is_named_beside_the_rest():
    ended = manage("check", "--deploy", DATABASE_URL="postgres://nobody@127.0.0.1:9/nothing", BBOSS_RATE="")
    assert "DATABASE_URL: the database does not answer" in ended.stderr
    assert "BBOSS_RATE is empty" in ended.stderr


@pytest.mark.django_db
def test_a_folder_that_this_account_cannot_write_is_named(fine, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # patched, because root may write everywhere
    assert any("is not writable for this account" in doubt for doubt in doubts())


# --- the settings in force


def test_a_dollar_is_read_literally():
    ended = manage("settings", BBOSS_DOMAIN="$BBOSS_ROUTE_VALUE", BBOSS_ROUTE_VALUE="995")
    assert re.search(r"^BBOSS_DOMAIN +environment +\$BBOSS_ROUTE_VALUE$", ended.stdout, re.MULTILINE)


def test_settings_prints_each_with_its_origin_and_no_secret():
    secrets = {"SECRET_KEY": "s1-hidden", "BBOSS_APP_SECRET": "s2-hidden", "BPM_CALLBACK_SECRET": "s3-hidden"}
    more = {"EMAIL_URL": "smtp://me:s4-hidden@mail.example.com:25", "ANYMAIL_KEY": "s5-hidden", "BBOSS_RATE": None}
    more["PARTNER_PROXY"] = "http://token-hidden:s6@hidden@proxy.example.com:3128"
    more["ALERT_WEBHOOKS"] = (
        "wecom+https://a.example.com/send?key=s7-hidden, feishu+https://b.example.com:8/s8-hidden#s9-hidden"
    )
    ended = manage("settings", **secrets, **more)
    rows = {line.split()[0]: line.split()[1:] for line in ended.stdout.splitlines()}
    assert list(rows) == [*NAMES, "ANYMAIL_KEY"]
    assert rows["BBOSS_RATE"] == ["default", "6000/min"]
    assert rows["BBOSS_APP_SECRET"] == ["environment", "***"]
    assert rows["EMAIL_URL"] == ["environment", "smtp://me:***@mail.example.com:25"]
    assert rows["ALERT_WEBHOOKS"] == [
        "environment",
        "wecom+https://a.example.com/***,feishu+https://b.example.com:8/***",
    ]
    assert rows["PARTNER_PROXY"] == ["environment", "http://***@proxy.example.com:3128"]
    assert "hidden" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "given, shown",
    [
        ("", ""),
        ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("http://token@proxy.example.com", "http://***@proxy.example.com"),
        ("ibs:p@ss@proxy.example.com", "***@proxy.example.com"),
    ],
)
def test_a_proxys_credentials_are_not_shown(given, shown):
    assert TABLE["PARTNER_PROXY"].shown(given) == shown


@pytest.mark.parametrize(
    "given, paths", [("", ()), ("both.pem", ("both.pem", "both.pem")), ("a.pem, b.pem", ("a.pem", "b.pem"))]
)
def test_a_client_certificate_is_one_file_or_two(given, paths):
    assert certificate_files("PARTNER_CLIENT_CERT", given) == paths


def test_settings_takes_every_row_of_the_table():
    assert {name for name in NAMES if not hasattr(live_settings, name)} == {"DATABASE_URL", "EMAIL_URL"}


def test_the_example_has_every_name():
    named = re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(named) == set(NAMES)


def test_the_page_of_settings_explains_every_name():
    table = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert set(NAMES) - set(re.findall(r"`([A-Z_]+)`", table)) == set()


@pytest.mark.django_db
@pytest.mark.parametrize("number, second_person", [(0, False), (1, True), (2, True)])
def test_an_act_that_fewer_than_two_may_do_is_named(settings, number, second_person):
    settings.EXPORT_SECOND_PERSON = second_person
    for place in range(number):
        holder(f"boss{place}", "审批主管")
    holder("gone", "审批主管", is_active=False)
    holder("outside", "审批主管", is_staff=False)
    begins = "Only the account boss0 may: " if number else "No active account may: "
    for right in ("judge_export", "withdraw_order", "compensate_order", "decide_order", "waive_finding"):
        named = [text for text in doubts() if f"orders.{right} (" in text]
        assert len(named) == (number < 2 and (second_person or right != "judge_export")), right
        assert all(text.startswith(begins) and text.endswith(" Each takes two accounts.") for text in named)


def holder(name, *roles, **more):
    user = factories.UserFactory(username=name, **more)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def unheld(right: str) -> list[str]:
    return [text for text in doubts() if f"{right} (" in text]


@pytest.mark.django_db
def test_a_limited_account_counts_for_acts_on_orders_and_not_for_what_concerns_all(settings):
    settings.EXPORT_SECOND_PERSON = True
    for number in range(2):
        for role in ("业务人员", "管理员", "审批主管"):
            holder(f"{role}{number}", role, letters=["BJ"])
    assert unheld("orders.enter_trial") == unheld("orders.withdraw_order") == []
    for right in ("orders.judge_export", "project.change_user", "integrations.add_apitoken"):
        assert [text.startswith("No active account may: ") for text in unheld(right)] == [True], right


@pytest.mark.django_db
def test_a_superuser_counts_and_a_third_one_is_named(fine):
    Group.objects.get(name="审批主管").user_set.clear()
    for name in ("root1", "root2"):
        holder(name, is_superuser=True)
    assert doubts() == []
    holder("root3", is_superuser=True)
    holder("gone", is_superuser=True, is_active=False)
    assert doubts() == ["3 superusers may do everything: root1, root2, root3. 2 are enough; give roles."]


MANAGE = "may manage accounts or tokens, and act on orders; take one of its roles."
AUDIT = "may audit, and change something; take one of its roles."


@pytest.mark.django_db
@pytest.mark.parametrize(
    "roles, said",
    [
        (["管理员", "业务人员"], MANAGE),
        (["管理员", "工程师"], MANAGE),
        (["管理员", "审批主管"], MANAGE),
        (["审计员", "管理员"], AUDIT),
        (["审计员", "业务人员"], AUDIT),
        (["业务人员", "工程师", "审批主管"], ""),
        (["审计员"], ""),
    ],
)
def test_an_account_with_rights_that_must_stay_apart_is_named(fine, roles, said):
    holder("wang", *roles)
    holder("gone", *roles, is_active=False)
    assert doubts() == ([f"The account wang {said}"] if said else [])


@pytest.mark.django_db
def test_rights_count_and_not_names_of_roles(fine):
    own = Group.objects.create(name="客服")
    own.permissions.set(Permission.objects.filter(codename__in=["view_order", "add_note"]))
    holder("wang", "管理员").groups.add(own)
    holder("li", "业务人员").user_permissions.set(Permission.objects.filter(codename="add_apitoken"))
    holder("zhou", "审计员").user_permissions.set(Permission.objects.filter(codename="delete_failedlogin"))
    assert doubts() == [f"The account li {MANAGE}", f"The account wang {MANAGE}", f"The account zhou {AUDIT}"]


@pytest.mark.django_db
def test_a_group_of_the_company_log_in_that_gives_both_is_named(fine):
    fine.OIDC_ROLES = grants("OIDC_ROLES", "a=管理员;a=业务人员:BJ;b=业务人员;b=审批主管;c=没有的角色")
    assert doubts() == [
        "OIDC_ROLES: the group a may manage accounts or tokens, and act on orders; nobody of it gets in."
    ]
