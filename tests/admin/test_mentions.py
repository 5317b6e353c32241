"""A note informs the people that it names by @, once each, if they may see what the note is about (contract 5)."""

import pytest
from django.urls import reverse

from notifications.models import Mail
from orders.models import OrderEvent
from orders.office.digest.service import write_digests
from tests import factories as make
from tests.admin.walking import colleague, said
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["order", "incident"])
def write(request, member):
    """Returns a function that writes a note on an order of Beijing, or on its incident, and returns the answer."""
    order = make.OrderFactory(attribution_id="BJ", state="failed")
    incident = make.AffectedOrderFactory(order=order).incident
    staff = member("业务人员")

    def note(text):
        if request.param == "order":
            url, data = reverse("admin:orders_order_decide", args=[order.pk, "note"]), {"reason": text}
        else:
            url, data = reverse("admin:orders_incident_act", args=[incident.pk, "note"]), {"note": text}
        return staff.post(url, data, follow=True)

    note.staff = staff
    return note


def told():
    return sorted(
        address for row in Mail.objects.to_staff().filter(kind="notice_mention") for address in row.recipients
    )


@pytest.mark.parametrize("write", ["order"], indirect=True)
def test_the_same_note_once_more_is_not_kept_again(write):
    """A note that is sent twice, or again after going back in the browser, is stored once."""
    colleague("lina", "李娜")
    notes = OrderEvent.objects.filter(kind="note")
    write("@lina 请看")
    again = write(" @lina 请看 ")
    assert again.redirect_chain
    assert "已有这条备注" in said(again)
    assert (notes.count(), told()) == (1, ["lina@x.cn"])
    write("客户来电")
    write("@lina 请看")  # stored, because another note was written in between
    assert notes.count() == 3


@pytest.mark.parametrize(
    "text, names",
    [
        ("@lina 请看", ["lina"]),
        ("请@李娜看一下，@李娜 @LINA", ["lina"]),
        ("@王小明请跟进", ["wxm"]),
        ("（@王小）@lina。", ["lina", "wx"]),
        ("发到 x@lina.cn 与 a@b.cn", []),
        ("@linan @nobody 10@30", []),
        ("＠lina", ["lina"]),
    ],
)
def test_who_is_named_is_told_once(write, text, names):
    for username, display in {"lina": "李娜", "wx": "王小", "wxm": "王小明"}.items():
        colleague(username, display)
    answer = write(text)
    assert told() == [f"{name}@x.cn" for name in names]
    if names == ["lina"]:
        assert "李娜" in said(answer)


def test_who_may_not_see_it_or_is_unknown_is_not_told_and_the_writer_reads_that(write):
    colleague("sh", "孙海", letters=["SH"])
    gone = colleague("gone", "高远")
    type(gone).objects.filter(pk=gone.pk).update(is_active=False)
    for username in ("wang1", "wang2"):
        colleague(username, "王敏")
    words = said(write("@孙海 @高远 @王敏 @查无此人"))
    assert told() == []
    for name in ("孙海", "高远", "王敏", "查无此人"):
        assert name in words


def test_html_stays_text_and_in_the_mail_phones_are_masked_and_the_subject_holds_no_name(write):
    type(colleague("lina")).objects.exclude(username="lina").update(display_name="请点击链接")
    answer = write("@lina <script>alert(1)</script> 13712345678")
    assert "<script>alert(1)" not in answer.text
    row = Mail.objects.to_staff().get()
    assert ("请点击" in row.subject, "请点击" in row.body) == (False, True)
    assert "13712345678" not in row.body
    assert "<script>alert(1)</script>" in row.body  # the mail is plain text, so HTML in it is harmless


def test_a_comment_of_a_megabyte_is_a_form_error(write):
    answer = write("@lina " + "长" * 350_000)
    assert (answer.status_code, told()) == (200, [])
    assert "不超过 500 字符" in answer.text


def test_thirty_mails_an_hour_a_writer_and_the_rest_stands_in_the_digest(write, clock):
    """Twelve notes that name ten colleagues make 120 mentions. The writer causes 30 mails an hour, and the digest
    lists the other mentions.
    """
    clock.move_to(shanghai("2023-09-20 15:00:00"))
    names = [f"clerk{n}" for n in range(10)]
    for name in names:
        colleague(name)
    everybody = " ".join(f"@{name}" for name in names)
    words = [said(write(f"{everybody} {n}")) for n in range(12)]
    assert [told().count(f"{name}@x.cn") for name in names] == [3] * 10
    assert "未发邮件" not in words[2]
    assert all("已达每小时 30 封" in one and names[-1] in one for one in words[3:])
    assert said(write("没有提到谁")) == said(write("谁也没有提到"))
    clock.move_to(shanghai("2023-09-20 16:00:01"))
    write("@clerk0")
    assert len(told()) == 31
    write.staff.force_login(colleague("other"))
    write("@clerk1")
    assert len(told()) == 32
    texts = digests(clock, "2023-09-21 09:00:00")
    assert {to for to in texts if "被备注提及、未发邮件: 1" in texts[to]} == {f"{name}@x.cn" for name in names}
    assert not any("提及" in text for text in digests(clock, "2023-09-22 09:00:00").values())


def digests(clock, moment):
    """Writes the digests of a day and returns them as `{address: text}`."""
    clock.move_to(shanghai(moment))
    while write_digests(now=shanghai(moment)):
        pass
    rows = Mail.objects.filter(kind="notice_digest", written_at=shanghai(moment))
    return {address: row.body for row in rows for address in row.recipients}


def test_the_digest_names_nothing_that_the_person_does_not_see_by_then(write, clock, monkeypatch):
    monkeypatch.setattr("orders.mails.mentions.MAILS_AN_HOUR", 0)
    clock.move_to(shanghai("2023-09-20 15:00:00"))
    stays, moves = colleague("stays"), colleague("moves")
    write("@stays @moves")
    assert told() == []
    event = OrderEvent.objects.get(kind="mentions_left")
    assert event.data["people"] == [stays.pk, moves.pk]
    make.limit_to(moves, ["SH"])
    texts = digests(clock, "2023-09-21 09:00:00")
    assert "被备注提及" in texts["stays@x.cn"]
    assert "被备注提及" not in texts.get("moves@x.cn", "")


def test_a_note_that_is_committed_as_the_digest_is_written_stands_in_the_next_one(write, clock, monkeypatch):
    monkeypatch.setattr("orders.mails.mentions.MAILS_AN_HOUR", 0)
    colleague("lina")
    clock.move_to(shanghai("2023-09-21 08:59:30"))
    write("@lina")
    assert "被备注提及" not in digests(clock, "2023-09-21 09:00:00")["lina@x.cn"]
    assert "被备注提及" in digests(clock, "2023-09-22 09:00:00")["lina@x.cn"]
