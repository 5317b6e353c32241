"""A wrong setting is reported before anything runs."""

import logging
import os
import subprocess
from pathlib import Path

import pytest
from django.conf import settings as live_settings
from django.contrib.auth.models import Group
from django.core.checks import ERROR, WARNING, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandParser, SystemCheckError
from django.db import connection

from project.base.settings_table import Environment
from project.checks import TAG, require_database_directory, stop_on_errors
from project.start.command_line import run
from tests import factories
from tests.partners.certificates import Authority
from tests.test_deployment import manage, python

ROOT = Path(__file__).resolve().parent.parent
ERRORS = [
    ("BBOSS_APP_SECRET", ""),
    ("BBOSS_ACCESS_TOKENS", []),
    ("BBOSS_ACCESS_TOKENS", ["s2-hidden"]),
    ("BBOSS_ACCESS_TOKENS", ["20991231235959-1234-1700000000"]),
    ("BBOSS_ACCESS_TOKENS", ["20991399235959" + "a" * 32 + "-1234-1700000000"]),
    ("BPM_CALLBACK_SECRET", ""),
    ("SUBSEQUENT_BILLING", "later"),
    ("BBOSS_ENV_FLAG", "2"),
    ("PASSWORD_LOGIN", "nobody"),
    ("DISPATCH_LEASE_SECONDS", 15),
    ("DISPATCH_RETRY_SECONDS", [30, -1]),
    ("BPM_BASE_URL", "bpm.example.com"),
    ("BPM_BASE_URL", "ftp://bpm.example.com"),
    ("BIGDATA_BASE_URL", "http://"),
    ("SITE_URL", "ibs.example.com"),
    ("BIGDATA_BASE_URL", "http://host:port/"),
    ("BBOSS_RATE", "many"),
    ("BBOSS_UNSIGNED_RATE", "many"),
    ("BBOSS_ALLOWED_IPS", ["10.0.0.300"]),
    ("BBOSS_ALLOWED_IPS", ["10.0.0.1/8"]),
    ("METRICS_ALLOWED_IPS", ["localhost"]),
    ("AUDIT_SYSLOG", "log.example.com:514"),
    ("AUDIT_SYSLOG", "tcp://log.example.com"),
    ("AUDIT_SYSLOG", "tcp://log.example.com:port"),
    ("AUDIT_SYSLOG", "tcp://[::1"),
    ("AUDIT_SYSLOG", "https://log.example.com:6514"),
    ("AUDIT_SYSLOG", "udp://log.example.com:514/path"),
    ("AUDIT_SYSLOG", "tls://user:s4-hidden@log.example.com:6514"),
    ("ALERT_WEBHOOKS", ["https://qyapi.example.com/send?key=s7-hidden"]),
    ("ALERT_WEBHOOKS", ["slack+https://hooks.example.com/s7-hidden"]),
    ("ALERT_WEBHOOKS", ["json+ftp://127.0.0.1/desk"]),
    ("ALERT_WEBHOOKS", ["json+http://me:s7-hidden@127.0.0.1/desk"]),
    ("ALERT_WEBHOOKS", ["json+http://127.0.0.1:9000/desk#s7-hidden"]),
    ("ALERT_WEBHOOKS", ["dingtalk+https://oapi.example.com/send?access_token=s7-hidden#"]),
    ("ALERT_WEBHOOKS", ["wecom+http://qyapi.example.com/send?key=s7-hidden"]),
    ("ALERT_WEBHOOKS", ["json+http://127.0.0.1:9000/desk", "json+http://127.0.0.1:9000/desk"]),
    ("PARTNER_CA_BUNDLE", "/nowhere/ca.pem"),
    ("PARTNER_CA_BUNDLE", str(ROOT)),
    ("PARTNER_CA_BUNDLE", str(ROOT / "README.md")),
    ("PARTNER_CLIENT_CERT", ("/nowhere/client.pem", "/nowhere/client.pem")),
    ("PARTNER_CLIENT_CERT", (str(ROOT / "README.md"), str(ROOT / "README.md"))),
    ("PARTNER_PROXY", "https://ibs:s8-hidden@proxy.example.com:3128"),
    ("PARTNER_PROXY", "proxy.example.com:3128"),
    ("PARTNER_PROXY", "socks5://proxy.example.com"),
    ("PARTNER_PROXY", "http://proxy.example.com/path"),
    ("BPM_TASK_URL", "https://bpm.example.com/tasks/{proces}"),
    ("BPM_TASK_URL", "https://bpm.example.com/tasks/{process}?order={order"),
    ("BPM_TASK_URL", "https://bpm.example.com/tasks/{process}}"),
    ("BPM_TASK_URL", "https://bpm.example.com/tasks/"),
    ("DEFAULT_CONTACT_MAIL", "desk"),
    ("DEFAULT_CONTACT_MAIL", "desk@example.com, other@example.com"),
    ("EMAIL_BACKEND", "django.core.mail.backends.smpt.EmailBackend"),
    ("EMAIL_BACKEND", "nowhere.Backend"),
    ("EMAIL_BACKEND", "smtp"),
    ("EMAIL_BACKEND", "pathlib.Path"),
    ("ATTACHMENT_DIR", ROOT / "README.md"),
    ("EXPORT_DIR", ROOT / "README.md"),
    ("STATE_DIR", ROOT / "README.md" / "state"),
]
FINE = [
    ("BBOSS_ALLOWED_IPS", ["10.0.0.0/8", "fd00::1"]),
    ("METRICS_ALLOWED_IPS", []),
    ("ALERT_WEBHOOKS", ["wecom+https://a.example.com/send?key=K", "feishu+https://b.example.com/hook/T#S"]),
    ("ALERT_WEBHOOKS", ["json+http://127.0.0.1:9000/desk", "dingtalk+http://127.0.0.1:9000/robot/send?access_token=T"]),
    ("DISPATCH_LEASE_SECONDS", 16),
    ("DISPATCH_RETRY_SECONDS", []),
    ("BPM_BASE_URL", "https://bpm.example.com:8443/bpm"),
    ("SUBSEQUENT_BILLING", "at_once"),
    ("SITE_URL", "https://ibs.example.com"),
    ("BPM_TASK_URL", "https://bpm.example.com/tasks/{process}?order={order}"),
    ("DEFAULT_CONTACT_MAIL", "IBS <desk@example.com>"),
    ("ATTACHMENT_DIR", ROOT / "not-made-yet"),
    ("BBOSS_RATE", "10/s"),
    ("PARTNER_PROXY", "http://ibs:p%40ss@proxy.example.com:3128"),
]


def found():
    return run_checks(tags=[TAG])


def test_the_test_settings_are_fine():
    assert found() == []


@pytest.mark.parametrize("name, value", ERRORS)
def test_an_error_names_the_setting_and_tells_no_secret(settings, name, value):
    setattr(settings, name, value)
    [message] = found()
    assert message.level == ERROR
    assert (name in message.msg, "hidden" in str(message)) == (True, False)


@pytest.mark.parametrize("name, value", FINE)
def test_what_is_right_passes(settings, name, value):
    setattr(settings, name, value)
    assert found() == []


@pytest.mark.parametrize("name", ["BBOSS_APP_SECRET", "BBOSS_ACCESS_TOKENS", "BPM_CALLBACK_SECRET"])
def test_a_development_machine_is_only_warned(settings, name):
    settings.DEBUG = True
    setattr(settings, name, "")
    assert [message.level for message in found()] == [WARNING]


def test_nobody_to_mail_is_a_warning(settings):
    settings.DEFAULT_CONTACT_MAIL = ""
    [message] = found()
    assert message.level == WARNING
    assert "DEFAULT_CONTACT_MAIL" in message.msg


def test_a_folder_for_exports_that_cant_be_made_is_a_warning(settings, tmp_path, monkeypatch):
    settings.EXPORT_DIR = tmp_path / "still" / "to be made"
    assert found() == []
    monkeypatch.setattr("project.checks.unwritable", lambda folder: str(folder) * (folder == settings.EXPORT_DIR))
    [message] = found()
    assert message.level == WARNING
    assert "EXPORT_DIR" in message.msg


def test_a_mail_backend_that_lacks_a_library_names_the_library(settings, tmp_path, monkeypatch):
    (tmp_path / "provider_mail.py").write_text("import library_of_a_provider\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.EMAIL_BACKEND = "provider_mail.EmailBackend"
    [message] = found()
    assert "library_of_a_provider" in message.msg


def test_certificates_are_looked_into(settings, tmp_path):
    """The check reports a key that has a password or belongs to another certificate. It never asks for the password."""
    one, other = (Authority(tmp_path, name).issue("ibs.example.com") for name in ("one", "other"))
    settings.PARTNER_CA_BUNDLE, settings.PARTNER_CLIENT_CERT = str(tmp_path / "one.pem"), (one, one)
    assert found() == []
    settings.PARTNER_CLIENT_CERT = (one, other)
    assert "PARTNER_CLIENT_CERT" in found()[0].msg
    locked = tmp_path / "locked.pem"
    words = ["openssl", "pkey", "-in", one, "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(words, check=True, capture_output=True)
    settings.PARTNER_CLIENT_CERT = (one, str(locked))
    assert "without a password" in found()[0].msg


def test_a_missing_database_directory_is_named(settings, tmp_path):
    settings.DATABASES = {"default": live_settings.DATABASES["default"] | {"ENGINE": "project.database.sqlite"}}
    settings.DATABASES["default"]["NAME"] = tmp_path / "missing" / "db.sqlite3"
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        require_database_directory()
    settings.DATABASES["default"]["NAME"] = tmp_path / "db.sqlite3"
    require_database_directory()


@pytest.mark.django_db
def test_commands_say_it(settings):
    settings.BBOSS_APP_SECRET = ""
    with pytest.raises(SystemCheckError, match="BBOSS_APP_SECRET"):
        call_command("check")
    with pytest.raises(SystemCheckError, match="BBOSS_APP_SECRET"):
        call_command("migrate", skip_checks=False, verbosity=0)


def test_the_web_process_stops_but_for_a_check_that_is_silenced(settings):
    stop_on_errors()
    settings.BBOSS_RATE = "many"
    with pytest.raises(ImproperlyConfigured, match="BBOSS_RATE"):
        stop_on_errors()
    settings.SILENCED_SYSTEM_CHECKS = ["desk.005"]
    stop_on_errors()
    settings.BPM_BASE_URL, settings.SILENCED_SYSTEM_CHECKS = "", []
    with pytest.raises(ImproperlyConfigured, match=r"(?s)BPM_BASE_URL.*BBOSS_RATE"):
        stop_on_errors()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "settings_of, managers, says",
    [
        ({"FOUR_EYES": {"decide": 0}}, 1, True),
        ({"EXPORT_SECOND_PERSON": True}, 1, True),
        ({"FOUR_EYES": {"decide": 0}}, 0, False),  # nobody can log in yet
        ({"FOUR_EYES": {"decide": 0}}, 2, False),
        ({}, 1, False),
    ],
)
def test_one_administrator_alone_is_told_what_that_means_for_second_persons(
    settings, caplog, capsys, settings_of, managers, says
):
    """Accounts that can't manage others don't count: accounts that are disabled, limited or without the role."""
    for name, value in settings_of.items():
        setattr(settings, name, value)
    for place, more in enumerate(({"is_active": False}, {"is_staff": False}, {"limited": True}, {})):
        other = factories.UserFactory(username=f"other{place}", **more)
        other.groups.set(Group.objects.filter(name="管理员") if more else [])
    if managers:
        factories.UserFactory(username="root", is_superuser=True)
    if managers > 1:
        factories.UserFactory(username="wang").groups.set(Group.objects.filter(name="管理员"))
    words = "FOUR_EYES: root alone manages accounts"
    with caplog.at_level(logging.WARNING, logger="project"):
        stop_on_errors()
    for deploy in (False, True):
        call_command("check", deploy=deploy)
        assert (words in capsys.readouterr().err) is says
    assert (words in caplog.text, "desk.024" in caplog.text) == (says, says)


@pytest.mark.parametrize("words", [["show", "X"], ["worker"], ["migrate"]])
def test_a_command_without_its_setting_ends_in_one_line(words):
    ended = manage(*words, SECRET_KEY="")
    said = "manage.py: SECRET_KEY is not set (a development machine may set DEBUG=true instead)\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("DEBUG", "maybe", " must be true or false, not 'maybe'"),
        ("FOUR_EYES", "bulk", ": bulk needs a number of rows, as in bulk:100"),
        ("DATABASE_URL", "mysql://u:p@h/n", " must begin with sqlite:/// or postgres://"),
        ("DATABASE_URL", "postgres://u@h:port/n", ": Port could not be cast to integer value as 'port'"),
        ("EMAIL_URL", "pigeon://", ": Invalid email schema pigeon"),
        ("DISPATCH_RETRY_SECONDS", "", " must be whole numbers with commas between, not ''"),
        ("DISPATCH_RETRY_SECONDS", "30,,60", " must be whole numbers with commas between, not '30,,60'"),
        ("DISPATCH_RETRY_SECONDS", "30;60", " must be whole numbers with commas between, not '30;60'"),
        ("DISPATCH_RETRY_SECONDS", "30,-1", " must be at least 0, not -1"),
        ("DISPATCH_RETRY_SECONDS", "9999999999", " must be at most 100000000, not 9999999999"),
        ("PARTNER_TIMEOUT_SECONDS", "", " must be a whole number, not ''"),
        ("BREAKER_FAILURES", "0", " must be at least 1, not 0"),
        ("BBOSS_PARTY_IDS", "", " must not be empty, nor hold an empty entry"),
        ("ALLOWED_HOSTS", "a.example.com,", " must not be empty, nor hold an empty entry"),
        ("BBOSS_DOMAIN", "", " must not be empty"),
        ("BBOSS_ROUTE_VALUE", " ", " must not be empty"),
        ("ATTACHMENT_DIR", "", " must not be empty"),
        ("EXPORT_DIR", "", " must not be empty"),
        ("EMAIL_URL", "", ": Invalid email schema"),
        ("EMAIL_BACKEND", "", " must not be empty"),
        ("DEFAULT_FROM_EMAIL", "", " must not be empty"),
        ("LOG_LEVEL", "loud", " must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not 'LOUD'"),
        ("LOG_FORMAT", "xml", " must be line or json, not 'xml'"),
        ("PARTNER_CLIENT_CERT", "a,,b", " must be one file with certificate and key, or cert.pem,key.pem"),
    ],
)
@pytest.mark.sampled
def test_no_empty_or_odd_value_quietly_means_something_else(name, value, said):
    """An empty or invalid value means neither the default nor "none". One line reports it before anything runs."""
    ended = manage("check", **{name: value})
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"manage.py: {name}{said}\n")


@pytest.mark.whole
def test_a_command_without_its_database_says_so():
    ended = manage("show", "X", DATABASE_URL="postgres://nobody@127.0.0.1:9/nothing")
    [told] = ended.stderr.splitlines()
    assert (ended.returncode, told.split(",")[0]) == (1, "manage.py: the database does not answer")


def test_an_argument_that_is_no_text_is_named():
    """A text that is not UTF-8 can't be stored in the database or printed on a terminal."""
    ended = manage("show", "a\udcff")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "manage.py: argument 2 is no UTF-8 text\n")


@pytest.mark.django_db
@pytest.mark.parametrize("asked", ["SELECT 1 FROM nothing", "SELECT nothing FROM orders_order"])
def test_a_command_without_its_migrations_says_so(monkeypatch, asked):
    # so that monkeypatch restores what `run` changes
    monkeypatch.setattr(CommandParser, "print_usage", CommandParser.print_usage)
    monkeypatch.setattr(
        "project.start.command_line.DeskUtility.execute", lambda self: connection.cursor().execute(asked)
    )
    with pytest.raises(
        SystemExit, match="^manage.py: the database does not answer, or lacks its migrations: .*nothing"
    ):
        run(["manage.py", "show", "X"])


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("BBOSS_APP_SECRET", "", "BBOSS_APP_SECRET is empty"),
        ("SESSION_IDLE_MINUTES", "soon", "SESSION_IDLE_MINUTES must be a whole number, not 'soon'"),
        ("DATABASE_URL", "postgres://nobody:hidden@127.0.0.1:9/ibs", "DATABASE_URL: the database does not answer: "),
        ("DATABASE_URL", "sqlite:////tmp/no-such-file.sqlite3", "no-such-file.sqlite3 does not exist yet"),
    ],
)
@pytest.mark.whole
def test_a_reload_does_not_take_what_no_process_could_use(name, value, said):
    """After a refused reload, gunicorn and the worker keep the settings that they have
    (tests/versions/test_secrets.py).
    """
    ended = python("-m", "project.production", "reload", "--print-file", **{name: value})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hidden" not in ended.stderr


@pytest.fixture
def environ(monkeypatch):
    """A copy of the process's environment for one test, because reading a file adds its lines to the environment."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return os.environ


def test_a_line_that_is_no_setting_is_named_by_its_number_alone(tmp_path, environ):
    file = tmp_path / ".env"
    file.write_text("# a remark\n\nexport TZ=Asia/Shanghai\nBBOSS_DOMAIN=\nBBOSS_APP_SECRET hidden\n  # remark\nX: 1\n")
    assert Environment(file).wrong_lines() == [f"{file}: line {number} is not NAME=value" for number in (5, 7)]
    assert Environment(tmp_path / "none").wrong_lines() == []


def test_what_systemd_read_from_the_same_file_counts_as_the_files(tmp_path, environ):
    """systemd puts the lines of the same file into the environment. They count as the file's, so that a change of the
    file changes them. A different value in the environment counts as the environment's own, and has precedence.
    """
    file = tmp_path / ".env"
    file.write_text("BBOSS_DOMAIN=OURS\nLOG_FORMAT=line\nBBOSS_ROUTE_VALUE=996\n")
    environ |= {"BBOSS_DOMAIN": "OURS", "LOG_FORMAT": "json"}
    for unset in ("BBOSS_ROUTE_VALUE", "BBOSS_PARTY_IDS"):
        environ.pop(unset, None)
    found, names = Environment(file), ("BBOSS_DOMAIN", "LOG_FORMAT", "BBOSS_ROUTE_VALUE", "BBOSS_PARTY_IDS")
    assert [found.origin(name) for name in names] == [".env", "environment", ".env", "default"]
    assert [found.value(name) for name in names] == ["OURS", "json", "996", ["BBSS9980"]]


def test_a_process_that_was_given_all_settings_does_not_read_the_file(tmp_path, environ):
    file = tmp_path / ".env"
    file.write_text("BBOSS_DOMAIN=CHANGED\n")
    found = Environment(file)
    file.write_text("BBOSS_DOMAIN=CHANGED AGAIN\nBBOSS_PARTY_IDS=\n")
    found.profile = "[bpm]\n"
    environ |= found.for_children()
    assert Environment(file).profile == "[bpm]\n"
    assert Environment(file).given("BBOSS_DOMAIN") == "CHANGED"
    assert Environment(file).given("BBOSS_PARTY_IDS") is None
