"""ALERT_WEBHOOKS: robots get a message when an incident opens, grows or is over, and delay nothing (contract 4)."""

import base64
import datetime
import hashlib
import hmac
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import RobotState
from integrations.robots import send_alerts
from integrations.tasks import sweep, tell_robots
from orders.models import Incident, Timeline
from tests import factories as make
from tests.harness.robot import Call, RobotServer

pytestmark = pytest.mark.django_db
SECRET = "SEC-hidden"  # noqa: S105  of a robot that is not there


@pytest.fixture(autouse=True)
def desk(settings, clock):
    settings.SITE_URL = "https://ibs.example.com"
    return clock


@pytest.fixture
def robot(settings):
    with RobotServer() as server:
        settings.ALERT_WEBHOOKS = [f"json+{server.url}/desk"]
        yield server


def opened(orders: int = 1, **more) -> Incident:
    incident = make.IncidentFactory(**{"code": "code_400"} | more)
    grow(incident, orders)
    return incident


def grow(incident: Incident, orders: int) -> None:
    for _ in range(orders):
        make.AffectedOrderFactory(incident=incident)


def end(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(state="resolved")


def told(server: RobotServer) -> list[tuple]:
    return [(call.body["event"], call.body["incident"], call.body["orders"]) for call in server.calls]


def test_another_system_gets_the_facts_and_nothing_else(robot):
    incident = opened(3, detail="张三 13712345678", words="域名 # 未备案")
    assert tell_robots() == "1 told"
    [call] = robot.calls
    assert (call.path, call.type.partition(";")[0]) == ("/desk", "application/json")
    assert call.body == {
        "event": "opened",
        "incident": incident.pk,
        "partner": "bpm",
        "code": "code_400",
        "orders": 3,
        "link": f"https://ibs.example.com/admin/orders/incident/{incident.pk}/change/",
    }
    assert tell_robots() == "0 told"


def test_it_grows_by_ten_times_and_is_over_once(robot):
    incident = opened()
    tell_robots()
    for orders in (8, 1, 89, 1):  # the incident has 9, 10, 99 and 100 orders
        grow(incident, orders)
        tell_robots()
    end(incident)
    tell_robots()
    tell_robots()
    assert told(robot) == [
        (event, incident.pk, orders) for event, orders in (("opened", 1), ("grown", 10), ("grown", 100), ("over", 0))
    ]


def test_the_sweep_has_a_worker_tell(robot, settings):
    sweep()
    assert "integrations.tasks.tell_robots" in [task.func() for task in OrmQ.objects.all()]
    OrmQ.objects.all().delete()
    settings.ALERT_WEBHOOKS = []
    sweep()
    assert "integrations.tasks.tell_robots" not in [task.func() for task in OrmQ.objects.all()]


@pytest.fixture
def call_of(settings):
    """Returns a function: `call_of("wecom", "/send?key=K")` returns the one call that a robot of this kind gets."""

    def call(kind: str, path: str) -> Call:
        with RobotServer() as server:
            settings.ALERT_WEBHOOKS = [f"{kind}+{server.url}{path}"]
            assert tell_robots() == "1 told"
        [call] = server.calls
        return call

    return call


def test_wecom_gets_a_text(call_of):
    incident = opened(2)
    call = call_of("wecom", "/send?key=K-hidden")
    assert (call.path, call.query, call.body["msgtype"]) == ("/send", {"key": "K-hidden"}, "text")
    text = call.body["text"]["content"]
    assert text.splitlines()[-1] == f"https://ibs.example.com/admin/orders/incident/{incident.pk}/change/"
    assert text.startswith(f"异常 #{incident.pk}，BPM：")
    assert text.splitlines()[0].endswith("受阻订单 2 笔。")


@pytest.mark.parametrize("secret", ["", SECRET])
def test_dingtalk_signs_in_the_address(call_of, secret):
    opened()
    call = call_of("dingtalk", f"/robot/send?access_token=T{secret and f'#{secret}'}")
    assert call.body["msgtype"] == "text"
    assert call.body["text"]["content"]
    if not secret:
        assert call.query == {"access_token": "T"}
        return
    stamp = call.query["timestamp"]
    assert int(stamp) == round(timezone.now().timestamp() * 1000)
    assert base64.b64decode(call.query["sign"]) == digest(secret, f"{stamp}\n{secret}")


@pytest.mark.parametrize("secret", ["", SECRET])
def test_feishu_signs_in_the_body(call_of, secret):
    opened()
    call = call_of("feishu", f"/hook/T{secret and f'#{secret}'}")
    assert call.body["msg_type"] == "text"
    assert call.body["content"]["text"]
    assert call.path == "/hook/T"
    if not secret:
        assert not {"sign", "timestamp"} & set(call.body)
        return
    stamp = call.body["timestamp"]
    assert int(stamp) == int(timezone.now().timestamp())
    assert base64.b64decode(call.body["sign"]) == digest(f"{stamp}\n{secret}", "")


def digest(key: str, text: str) -> bytes:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()


@pytest.mark.parametrize(
    "trouble, why",
    [
        ({"status": 500}, "http_500"),
        ({"status": 302}, "http_302"),
        ({"hangs": 0.5}, "timeout"),
        ({"answer": {"errcode": 93000, "errmsg": "invalid"}}, "refused_by_robot"),
    ],
    ids=lambda value: str(value),
)
def test_a_robot_in_trouble_is_tried_again_and_holds_up_no_other(settings, desk, trouble, why, monkeypatch, capsys):
    monkeypatch.setattr(send_alerts, "TIMEOUT", 0.2)
    with RobotServer() as bad, RobotServer() as good:
        settings.ALERT_WEBHOOKS = [f"wecom+{bad.url}/send?key=K-hidden", f"json+{good.url}/desk"]
        vars(bad).update(trouble)
        opened()
        assert tell_robots() == "1 told"
        assert told(good)[0][0] == "opened"
        with pytest.raises(CommandError):  # `status` fails because of the incident; the robot's failure is only listed
            call_command("status", "--json")
        shown = json.loads(capsys.readouterr().out)
        assert shown["robots"] == [{"robot": "wecom 1", "error": why, "tries": 1, "given_up_at": None}]
        assert not [reason for reason in shown["reasons"] if "robot" in reason]
        tell_robots()
        assert [call.path for call in bad.calls] == ["/send"]
        desk.shift(61)
        vars(bad).update(status=200, hangs=0.0, answer={"errcode": 0})
        assert tell_robots() == "1 told"
        assert send_alerts.failing_robots() == []


def test_a_clock_that_stood_ahead_keeps_no_robot_waiting(robot, desk):
    robot.status = 500
    opened()
    desk.shift(10**8)
    tell_robots()
    desk.shift(-(10**8))
    robot.status = 200
    assert (tell_robots(), len(robot.calls)) == ("1 told", 2)


def test_a_robot_that_stays_away_is_given_up_and_begins_anew(robot, desk, caplog):
    robot.status = 500
    opened()
    for _ in range(6):
        tell_robots()
        desk.shift(1801)
    assert len(robot.calls) == 5
    assert [record.getMessage() for record in caplog.records if "robot" in record.name] == [
        "robot json 1 takes nothing (http_500): what waited for it is given up"
    ]
    robot.status = 200
    later = opened(code="code_500")
    tell_robots()
    assert told(robot)[5:] == [("opened", later.pk, 1)]


@pytest.mark.parametrize("kind, number, calls", [("json", 20, 20), ("json", 21, 1), ("wecom", 5, 5), ("wecom", 6, 1)])
def test_a_burst_is_one_message(settings, kind, number, calls):
    with RobotServer() as server:
        settings.ALERT_WEBHOOKS = [f"{kind}+{server.url}/desk"]
        for place in range(number):
            opened(code=f"code_{400 + place}")
        tell_robots()
        assert len(server.calls) == calls
        if (kind, calls) == ("json", 1):
            link = "https://ibs.example.com/admin/orders/incident/?open=yes"
            facts = {"event": "opened", "incident": None, "partner": "bpm", "code": "", "orders": 21, "link": link}
            assert server.calls[0].body == facts
        if (kind, calls) == ("wecom", 1):
            assert len(server.calls[0].body["text"]["content"].splitlines()) == 8


def test_it_is_called_at_most_twenty_times_a_minute(robot, desk):
    for place in range(30):
        opened(code=f"code_{400 + place}")
        tell_robots()
    assert len(robot.calls) == 20
    desk.shift(61)
    tell_robots()
    assert len(robot.calls) == 30  # ten messages waited, and the next minute allows ten more


def test_a_kill_repeats_one_message_at_most(robot, monkeypatch):
    first, second = opened(), opened(code="code_500")

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(send_alerts, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            tell_robots()
    tell_robots()
    assert [pk for _event, pk, _orders in told(robot)] == [first.pk, first.pk, second.pk]


def test_what_sleeps_is_told_when_it_wakes(robot, desk):
    asleep, known = opened(), opened(code="code_500")
    until = timezone.now() + datetime.timedelta(hours=1)
    Incident.objects.filter(pk=asleep.pk).update(asleep_until=until)
    tell_robots()
    Incident.objects.filter(pk=known.pk).update(asleep_until=until)
    grow(known, 9)
    tell_robots()
    end(known)
    tell_robots()
    assert told(robot) == [("opened", known.pk, 1)]
    desk.shift(3601)
    tell_robots()
    assert told(robot)[1:] == [("opened", asleep.pk, 1), ("over", known.pk, 0)]


def test_a_restored_desk_is_silent(robot):
    opened()
    Timeline.objects.update(restored_at=timezone.now())
    assert tell_robots() == "nobody is told"
    assert robot.calls == []


def test_what_staff_ignore_is_over_and_a_new_robot_hears_no_old_news(settings, robot):
    incident = opened()
    tell_robots()
    Incident.objects.filter(pk=incident.pk).update(state="ignored")
    with RobotServer() as other:
        settings.ALERT_WEBHOOKS = [*settings.ALERT_WEBHOOKS, f"wecom+{other.url}/send"]
        tell_robots()
    assert [event for event, *_rest in told(robot)] == ["opened", "over"]
    assert [call.body["text"]["content"].splitlines()[0][:6] for call in other.calls] == ["异常已忽略 "]


def test_no_address_is_kept_or_logged(settings, caplog):
    settings.ALERT_WEBHOOKS = ["wecom+http://127.0.0.1:9/send?key=K-hidden", "json+http://127.0.0.1:9/x-hidden"]
    caplog.set_level("DEBUG")
    opened()
    tell_robots()
    kept = [*RobotState.objects.values_list("key", "error"), *send_alerts.failing_robots()]
    assert "hidden" not in caplog.text + str(kept)
    assert {row["error"] for row in send_alerts.failing_robots()} == {"refused"}
