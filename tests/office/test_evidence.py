"""An archive with all that is known of an order. People's data are masked unless asked for, and it never contains more
than the person may see.
"""

import hashlib
import io
import json
import zipfile

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from orders.models import AskedAct, Incident
from orders.office.exports.models import Export
from orders.office.exports.run import run_export
from tests import factories as make

pytestmark = pytest.mark.django_db
PEOPLE = ("13712345678", "欧阳三丰", "ouyang@example.com")
TOKEN, SIGN = "20991231235959" + "a" * 32, "DE132BD55A30C04864CFA3D445BD0209"


@pytest.fixture
def order(settings, tmp_path):
    """An activation with a file, and with people's data in every text that partners or people wrote."""
    settings.ATTACHMENT_DIR = tmp_path / "attachments"
    settings.ATTACHMENT_DIR.mkdir()
    person = {"operUser": PEOPLE[1], "operTel": PEOPLE[0], "operMail": PEOPLE[2]}
    order = make.OrderFactory(
        attribution_id="BJ", oper_user=PEOPLE[1], oper_tel=PEOPLE[0], oper_mail=PEOPLE[2], content=person
    )
    order.info_security = f"{order.number}_50004020027_20230920170126.xlsx"
    order.save()
    (settings.ATTACHMENT_DIR / order.info_security).write_bytes(b"the very bytes")
    body = json.dumps({"accessToken": TOKEN, "sign": SIGN, "content": json.dumps(person)})
    make.InboundMessageFactory(order_number=order.number, body=body)
    step = make.DispatchFactory(order=order, payload=json.dumps({"data": person}))
    make.AttemptFactory(dispatch=step, answer=json.dumps({"sign": SIGN, "message": f"请联系 {PEOPLE[0]}"}))
    make.ApprovalRecordFactory(order=order, opinion=f"电话 {PEOPLE[0]}")
    make.OrderEventFactory(order=order, kind="note", data={"reason": f"已联系 {PEOPLE[0]}"})
    make.MailFactory(order=order, recipients=[PEOPLE[2]], body=PEOPLE[0])
    return order


def address(order):
    return reverse("admin:orders_order_evidence", args=[order.pk])


def opened(data):
    """Returns the files of an archive as {name: bytes}, and asserts that its manifest is right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(found.pop("manifest.json"))
    assert manifest["files"] == {
        name: {"size": len(told), "sha256": hashlib.sha256(told).hexdigest()} for name, told in found.items()
    }
    return found


def taken(client, order, **form):
    return opened(b"".join(client.post(address(order), form).streaming_content))


def told(found):
    return b"".join(data for name, data in found.items() if not name.startswith("files/")).decode()


def test_it_is_whole_masked_and_noted(member, order):
    clerk = member("业务人员", letters=["BJ"])
    assert address(order) in clerk.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    found = taken(clerk, order)
    parts = "order domains messages steps attempts billing differences approvals incidents events mails"
    assert set(found) == {"report.txt", *(f"{part}.json" for part in parts.split())}
    text = told(found)
    assert [one for one in (*PEOPLE, TOKEN, SIGN) if one in text] == []
    assert "请联系 137***78" in text
    assert order.events.get(kind="evidence_taken").actor == f"staff:{clerk.person.username}"
    assert Export.objects.get().list_name == "evidence"


def test_people_and_files_need_the_right_and_a_reason_and_secrets_stay_masked(member, order):
    clerk = member("业务人员")
    assert "请说明个人信息的用途" in clerk.post(address(order), {"personal": "on", "reason": " "}).content.decode()
    found = taken(clerk, order, personal="on", reason="仲裁")
    assert found[f"files/{order.info_security}"] == b"the very bytes"
    text = told(found)
    assert [one for one in PEOPLE if one not in text] == []
    assert [one for one in (TOKEN, SIGN) if one in text] == []
    assert order.events.get(kind="evidence_personal").data["reason"] == "仲裁"
    engineer = taken(member("工程师"), order, personal="on", reason="x")
    assert [one for one in PEOPLE if one in told(engineer)] == []
    assert not [name for name in engineer if name.startswith("files/")]


def test_a_second_person_agrees_first_where_the_site_wants_it(member, order, settings):
    settings.EXPORT_SECOND_PERSON = True
    clerk = member("业务人员")
    assert clerk.post(address(order), {"personal": "on", "reason": "仲裁"}).status_code == 302
    row = Export.objects.get()
    assert (row.state, row.file, order.events.filter(kind__startswith="evidence").count()) == ("asked", "", 0)
    person = clerk.person
    member("审批主管").post(reverse("admin:orders_export_judge", args=[row.pk]), {"agree": "1"})
    run_export(row.pk, now=timezone.now(), stop=lambda: False)
    clerk.force_login(person)
    answer = clerk.get(reverse("admin:orders_export_download", args=[row.pk]))
    assert PEOPLE[0] in told(opened(b"".join(answer.streaming_content)))


def test_the_command_asks_a_second_person_too(member, order, settings, tmp_path, capsys):
    """The command asks for a second person, and the file waits on the page of exports. `--emergency` writes the file
    at once and opens an incident.
    """
    settings.FOUR_EYES, settings.SITE_URL = {"export_personal": 0}, "https://desk.example.com"
    clerk, out = member("业务人员").person, tmp_path / "x.zip"
    about = {"personal": True, "reason": "仲裁"}
    for by in (None, "nobody", member("工程师").person.username):
        with pytest.raises(CommandError):
            call_command("evidence", order.number, str(out), by=by, **about)
    assert not AskedAct.objects.exists()
    with pytest.raises(SystemExit) as ended:
        call_command("evidence", order.number, str(out), by=clerk.username, **about)
    row = AskedAct.objects.get()
    assert (ended.value.code, row.act, row.asker_id, out.exists()) == (3, "export_personal", clerk.pk, False)
    assert row.via
    assert f"https://desk.example.com/admin/orders/askedact/{row.pk}/change/" in capsys.readouterr().out
    member("审批主管").post(reverse("admin:orders_export_judge", args=[row.target]), {"agree": "1"})
    run_export(row.target, now=timezone.now(), stop=lambda: False)
    assert Export.objects.get().state == "done"
    call_command("evidence", order.number, str(out), by="li", emergency=True, **about)
    assert PEOPLE[0] in told(opened(out.read_bytes()))
    assert order.events.get(kind="act_in_emergency").actor == "command:li"
    assert Incident.objects.filter(code="emergency_act").exists()


def test_a_text_that_only_begins_like_json_stays_as_it_is(member):
    order = make.OrderFactory(enterprise_name="[华北] 示例")
    make.OrderEventFactory(order=order, kind="note", data={"reason": "{见附件"})
    text = told(taken(member("业务人员"), order))
    assert "[华北] 示例" in text
    assert "{见附件" in text


def test_each_part_follows_the_right_to_see_its_kind(client, member, order):
    role = Group.objects.get(name="业务人员")
    role.permissions.remove(*role.permissions.filter(codename__in=["view_mail", "view_inboundmessage", "view_attempt"]))
    found = taken(member("业务人员"), order)
    assert {"mails.json", "messages.json", "steps.json", "attempts.json"}.isdisjoint(found)
    assert member("业务人员", letters=["SH"]).get(address(order)).status_code == 404
    role.permissions.remove(role.permissions.get(codename="export_list"))
    assert member("业务人员").post(address(order)).status_code == 403


def test_the_command(order, tmp_path, capsys):
    out = tmp_path / "a.zip"
    call_command("evidence", order.number, str(out), by="li")
    assert "personal data masked" in capsys.readouterr().out
    assert PEOPLE[0] not in told(opened(out.read_bytes()))
    call_command("evidence", order.number, str(out), personal=True, reason="仲裁")
    assert PEOPLE[0] in told(opened(out.read_bytes()))
    assert [path.name for path in tmp_path.glob("*.part")] == []
    for arguments in ((order.number, "a.txt"), ("nobody", "a.zip"), (order.number, "/nowhere/a.zip")):
        with pytest.raises(CommandError):
            call_command("evidence", *arguments)
    with pytest.raises(CommandError, match="--reason"):
        call_command("evidence", order.number, "a.zip", personal=True)
