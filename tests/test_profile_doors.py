"""What a profile of partners must not allow (contract 7.4)."""

import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks

from integrations.partners.profile import read_profile
from project.base.logs import redact
from project.base.settings_table import BASE_DIR

NONE = '[bboss.token]\ncheck = "none"'
ADDRESSES = '[bpm.callback]\ncheck = "addresses"'
DOORS = [
    (NONE, {}, "bboss.token.check"),
    (NONE, {"BBOSS_ALLOWED_IPS": ["0.0.0.0/0"]}, "bboss.token.check"),
    (ADDRESSES, {}, "bpm.callback.check"),
    (ADDRESSES, {"BPM_ALLOWED_IPS": ["::/0"]}, "bpm.callback.check"),
    (ADDRESSES, {"BPM_ALLOWED_IPS": ["10.0.0.5", "127.0.0.0/8"], "TRUSTED_PROXY_COUNT": 0}, "TRUSTED_PROXY_COUNT"),
]
SHUT = [
    (NONE, {"BBOSS_ALLOWED_IPS": ["10.0.0.0/8"]}),
    (ADDRESSES, {"BPM_ALLOWED_IPS": ["10.0.0.5"]}),
    (ADDRESSES, {"BPM_ALLOWED_IPS": ["127.0.0.1"], "TRUSTED_PROXY_COUNT": 1}),
]


def said(settings, profile: str, given: dict, *, deploy: bool = False) -> list[str]:
    settings.PARTNERS = read_profile(profile)
    for name, value in given.items():
        setattr(settings, name, value)
    found = run_checks(tags=["desk"], include_deployment_checks=deploy)
    return [str(message) for message in found if message.id in {"desk.025", "desk.026"} and message.is_serious()]


@pytest.mark.parametrize(("profile", "given", "named"), DOORS)
def test_a_door_is_an_error(db, settings, profile, given, named):
    (line,) = said(settings, profile, given)
    assert named in line


@pytest.mark.parametrize(("profile", "given"), SHUT)
def test_what_is_shut_is_none(db, settings, profile, given):
    assert said(settings, profile, given) == []


@pytest.mark.parametrize(
    "words", [["manage.py", "check"], ["manage.py", "sign_message", "x"], ["-m", "project.production"]]
)
@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (NONE, "bboss.token.check"),
        ('[bboss.sign]\ntext = "{pairs}"', "bboss.sign.text"),
        ("[bboss]\nlenent = true", "lenient?"),
    ],
)
def test_nothing_starts(tmp_path, words, lines, named):
    file = tmp_path / "partners.toml"
    file.write_text(lines)
    given = {"PARTNERS_FILE": str(file), "BBOSS_ALLOWED_IPS": "", "SECRET_KEY": "x" * 50}
    ended = subprocess.run(
        [sys.executable, *words], cwd=BASE_DIR, env=os.environ | given, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode != 0
    assert "PARTNERS_FILE: " in ended.stderr
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ('[bboss.sign]\norder = ["timeStamp", "transIDO"]', "content is outside"),
        ('[bboss.sign]\norder = ["content", "transIDO"]', "timeStamp is outside"),
        ('[bboss.sign]\norder = ["content", "timeStamp"]', "transIDO is outside"),
        ('[bboss.sign]\npair = "{value}"', "bboss.sign.pair"),
        ('[bpm.callback]\ncheck = "token"', "not hmac"),
        ('[bboss]\ncharsets = ["gb18030", "utf-8"]', "bboss.charsets"),
        ('[bigdata]\nheaders = { Authorization = "Bearer ${TOKEN}" }', "plain http"),
        ('[bpm]\nheaders = { X-Api-Key = "${KEY}" }\nstart.path = "http://bpm.example.com/x"', "plain http"),
    ],
)
def test_what_is_an_error_with_production_data(db, settings, profile, named):
    given = {
        "BBOSS_ENV_FLAG": "0",
        "BIGDATA_BASE_URL": "http://big.example.com",
        "BPM_BASE_URL": "https://bpm.example.com",
    }
    assert said(settings, profile, given, deploy=True) == []
    (line,) = said(settings, profile, given | {"BBOSS_ENV_FLAG": "1"}, deploy=True)
    assert named in line
    assert said(settings, profile, given | {"BBOSS_ENV_FLAG": "1"}) == []


def test_a_profile_that_signs_all_is_none(db, settings):
    profile = """
        [bboss]
        rename = { data = "content" }
        charsets = ["utf-8", "gb18030"]
        [bboss.sign]
        order = ["data", "timeStamp", "transIDO"]
        pair = "{value}"
        between = "|"
    """
    assert said(settings, profile, {"BBOSS_ENV_FLAG": "1"}, deploy=True) == []


def test_a_log_line_masks_renamed_secrets(settings):
    settings.PARTNERS = read_profile('[bboss]\nrename = { reqSign = "sign", credential = "accessToken" }')
    text = redact('{"credential": "c-secret", "reqSign":"s-secret", "accessToken":"a-secret"}')
    assert "secret" not in text
