"""Personal data are erased from lines that are over (contract 3.14). A line is a trial with all orders that refer to
it, or a single order without a trial."""

import contextlib
import datetime
import hashlib
import re

import openpyxl
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from django.utils import timezone

from approvals.models import ApprovalRecord
from integrations.models import BpmCallback
from integrations.partners.profile import read_profile
from notifications.models import Mail
from orders.actions.run_action import confirm_second, digest_of
from orders.erasing.erase_due import erase_due
from orders.erasing.erased_list import erased_file
from orders.models import (
    AskedAct,
    Attempt,
    Customer,
    CustomerNote,
    Dispatch,
    Erasure,
    InboundMessage,
    Order,
    OrderEvent,
    TrailEntry,
)
from orders.office.exports.models import Export
from orders.office.saved_views.models import SavedView
from orders.order_page.tabs import TABS
from orders.order_words.order_facts import last_event
from orders.people.staff_events import add_note, see_conflicts
from project.models import User
from tests.admin.orders import deciding, filled, page, staff
from tests.flows.conftest import BILLING, BPM, code_of
from tests.flows.contents import activation, change, trial, withdrawal

A, B, WHO = "a.example.com", "b.example.com", "100A23100079275183"
FILE = "A1_50004020027_20230920185436.xlsx"
LINE = ["T1", "C1", "A1"]


class Person:
    """A person whose name, phone and mail address occur in no other text."""

    def __init__(self, number: int):
        self.name, self.tel = f"欧阳{chr(0x4E07 + number * 7)}{number}", f"139{number:04}{number + 1234:04}"
        self.mail = f"person.{number}@customer{number}.example.net"
        self.members = {"OperUser": self.name, "OperTel": self.tel, "OperMail": self.mail}

    @property
    def values(self) -> list[str]:
        return [self.name, self.tel, f"{self.tel[:3]}-{self.tel[3:7]}-{self.tel[7:]}", self.mail]

    def __str__(self) -> str:
        return " ".join(self.values)


PEOPLE = [Person(number) for number in range(30)]


def holding() -> set[str]:
    """Returns the columns that contain a value of one of the people, in any form."""
    values = [value for one in PEOPLE for value in one.values]
    wanted = re.compile("|".join(re.escape(form) for one in values for form in {one, ascii(one)[1:-1]}))
    found = set()
    for model in apps.get_models(include_auto_created=True):
        for row in model._base_manager.all():
            for field in model._meta.concrete_fields:
                value = getattr(row, field.attname)
                text = bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)
                found |= {f"{model._meta.label}.{field.name}"} if wanted.search(text) else set()
    return found


@pytest.fixture
def over(desk, settings, tmp_path):
    """A line of a trial, a change and an activation, all withdrawn. Each of the line's texts contains people."""
    settings.EXPORT_DIR = tmp_path
    desk.play(trial("T1", A, **PEOPLE[0].members), change("C1", A, B, **PEOPLE[1].members))
    for person in PEOPLE[8:14]:
        desk.refused(change("C1", A, B, **person.members))
    desk.refused(trial("T1", B, **PEOPLE[2].members))
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A1", **PEOPLE[3].members))
    desk.sweep(after=60)
    desk.decided("A1", record="r1", operator=PEOPLE[4].name, opinion=f"请联系{PEOPLE[5]}")
    desk.decided("A1", "reject", record="r2", operator=PEOPLE[4].name, opinion=f"不同意，请联系{PEOPLE[5]}")
    for number, person in enumerate(PEOPLE[14:20]):
        desk.approve("A1", record=f"after {number}", operator=person.name, opinion=f"另请联系{person}")
        desk.approve("A1", record=f"after {number}", operator=person.name, opinion=f"{person}", node="x")
    who = {"by": "staff:li", "now": timezone.now()}
    for number, person in zip(LINE * 2, PEOPLE[20:26], strict=True):
        add_note(number=number, reason=f"{PEOPLE[8].name}说，找{person.tel}或 {person.mail}", **who)
    add_note(number="A1", reason=f"{PEOPLE[0].name}来电，{PEOPLE[6].tel} {PEOPLE[6].mail}", **who)
    see_conflicts(number="C1", newest=InboundMessage.objects.latest("pk").pk, reason=str(PEOPLE[9]), **who)
    see_conflicts(number="T1", newest=InboundMessage.objects.latest("pk").pk, reason=f"{PEOPLE[2].name}写错了", **who)
    staff("add_note", name="zhao")
    User.objects.filter(username="zhao").update(email="zhao@example.com")
    add_note(number="A1", reason=f"@zhao {PEOPLE[3].name}?", **who)
    for name in (PEOPLE[0].name, PEOPLE[3].name):
        SavedView.objects.create(owner=User.objects.get(username="zhao"), name=name, created_at=timezone.now())
    CustomerNote.objects.create(at=timezone.now(), by="staff:li", text=f"问{PEOPLE[0].name}", enterprise_id=WHO)
    for name, text in (("with.xlsx", str(PEOPLE[3])), ("without.xlsx", "x")):
        book = openpyxl.Workbook()
        book.active.append([text])
        book.save(tmp_path / name)
        query = f"q={PEOPLE[0].tel}"
        Export.objects.create(list_name="orders", created_at=timezone.now(), file=name, query=query, format="xlsx")
    words = {"words": f"withdraw A1 --reason {PEOPLE[0].name}"}
    TrailEntry.objects.create(at=timezone.now(), keep_until=timezone.now(), code="command", data=words)
    for person in PEOPLE[26:]:
        desk.refused(activation("A1", **person.members) | {"TrialOrderNum": "T9"})
    see_conflicts(number="A1", newest=InboundMessage.objects.latest("pk").pk, reason=str(PEOPLE[26]), **who)
    desk.play(withdrawal("A1", **PEOPLE[7].members), withdrawal("T1"))
    assert {row.state for row in Order.objects.all()} == {"withdrawn"}
    assert len(holding()) > 15
    return desk


def test_each_of_the_people_stands_in_the_database(over):
    rows = [*InboundMessage.objects.values_list("body"), *BpmCallback.objects.values_list("body")]
    rows += [*OrderEvent.objects.values_list("data"), *ApprovalRecord.objects.values_list("opinion")]
    rows += ApprovalRecord.objects.values_list("operator")
    texts = str([str(value) for row in rows for value in row])
    assert [person.name for person in PEOPLE if not any(value in texts for value in person.values)] == []


@pytest.fixture
def committing(django_capture_on_commit_callbacks):
    """Runs the work that an erasure does after its commit, at the end of the block."""

    @contextlib.contextmanager
    def run():
        with django_capture_on_commit_callbacks() as callbacks:
            yield
        for callback in callbacks:
            if callback.__qualname__.startswith("erase_line"):
                callback()

    return run


@pytest.fixture
def erase(committing):
    def run(*words: str, **about) -> None:
        with committing():
            call_command("erase", *(words or ("--order=A1",)), **({"reason": f"{PEOPLE[0].name}本人要求"} | about))

    return run


def test_nothing_of_the_people_is_left(over, capsys, tmp_path, erase):
    before = {model: model.objects.count() for model in (InboundMessage, OrderEvent, ApprovalRecord)}
    erase(by="li")
    assert holding() == set()
    assert capsys.readouterr().out.startswith("A1: T1, C1, A1: erased in ")
    assert before == {model: model.objects.count() - 3 * (model is OrderEvent) for model in before}
    for number in LINE:
        assert [event["reason"] for event in over.events(number, "personal_data_erased")] == ["***本人要求"]
        assert Erasure.objects.get(order__number=number, texts__isnull=True).by == "command:li"
    hashes = {hashlib.sha256(number.encode()).hexdigest() for number in LINE}
    assert {line.partition(" ")[0] for line in erased_file().read_text().splitlines()} == hashes
    assert [path.name for path in tmp_path.glob("with*.xlsx")] == ["without.xlsx"]
    assert set(Export.objects.values_list("file", flat=True)) == {"", "without.xlsx"}


def test_no_page_shows_them(over, erase, admin_client, caplog):
    erase()
    shown = re.compile("|".join(re.escape(value) for one in PEOPLE for value in one.values))
    pages = ["/admin/orders/order/", "/admin/approvals/approvalrecord/", "/admin/audit/", "/admin/orders/incident/"]
    for order in Order.objects.all():
        pages += [page(order, f"?tab={tab.key}&personal=1") for tab in TABS]
        pages.append(f"/admin/orders/order/{order.pk}/print/?personal=1")
    for model in (InboundMessage, Dispatch, Attempt, Mail, BpmCallback, ApprovalRecord, OrderEvent, Customer):
        about = model._meta
        for row in model.objects.all():
            pages.append(f"/admin/{about.app_label}/{about.model_name}/{row.pk}/change/?personal=1")
    answers = {}
    for address in pages:
        answer = admin_client.get(address)
        answers[address] = answer.status_code
        assert not shown.search(answer.content.decode()), address
    assert list(answers.values()).count(200) > 60, answers
    assert not shown.search(caplog.text)


def test_numbers_states_books_and_hashes_stay(over, erase):
    kept = ["number", "state", "content_hash", "enterprise_name", "cp_id"]
    rows = list(Order.objects.values_list(*kept))
    books = over.records("A1"), over.records("T1")
    hashes = list(ApprovalRecord.objects.values_list("record_id", "body_hash", "result"))
    erase()
    assert list(Order.objects.values_list(*kept)) == rows
    assert (over.records("A1"), over.records("T1")) == books
    assert list(ApprovalRecord.objects.values_list("record_id", "body_hash", "result")) == hashes
    assert [domain["ProvReq"] for domain in over.order("C1").content["ProvContent"]] == [A, B]


def test_what_comes_again_is_answered_as_before_and_kept_without_people(over, erase):
    erase()
    for content in (trial("T1", A, **PEOPLE[0].members), change("C1", A, B, **PEOPLE[1].members)):
        assert over.post(content)["transIDH"] == over.order(content["OrderNum"]).trans_idh
    assert over.refused(trial("T1", B, **PEOPLE[2].members)) == ("30000", "3001")
    over.post(withdrawal("A1", **PEOPLE[7].members))
    said = {"operator": PEOPLE[4].name, "opinion": f"请联系{PEOPLE[5]}"}
    assert over.approve("A1", record="r1", **said) == 200
    assert over.approve("A1", record="r1", **said | {"node": "x"}) == 409
    assert over.approve("A1", record="r3", **said) == 200
    assert ApprovalRecord.objects.get(record_id="r3").opinion == ""
    assert holding() == set()


def test_it_is_not_sent_or_decided_again(over, capsys, erase):
    erase()
    forced = (["A1"], ["T1", "--channel", "billing"], ["C1", "--channel", "mail"])
    for words in (["A1"], *([*words, "--force"] for words in forced)):
        assert code_of("resend", *words) == 1
        assert "were erased on 2023-09-20" in "".join(capsys.readouterr())
    assert not over.wait()


def test_a_rejected_one_is_not_opened_again(desk, erase):
    desk.play(trial("T1", A), activation("A1"))
    desk.decided("A1", "reject")
    desk.play(withdrawal("T1"))
    erase()
    with pytest.raises(CommandError, match="were erased on 2023-09-20"):
        call_command("decide", "A1", "pass", reason="x")
    with pytest.raises(CommandError, match="were erased on 2023-09-20"):
        erase()
    desk.play(withdrawal("A1"))
    assert desk.state("A1") == "withdrawn"
    assert code_of("reconcile", "A1", "T1") == 0


def test_a_compensated_one_counts_as_over(desk, erase):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1", **PEOPLE[0].members))
    assert desk.state("A1") == "failed"
    with pytest.raises(CommandError, match="because order T1 is trialing"):
        erase()
    desk.play(withdrawal("T1"))
    erase()
    assert desk.order("A1").oper_user == ""


def stuck(desk):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(withdrawal("T1"))


def conflicting(desk):
    desk.play(trial("T1", A))
    desk.refused(trial("T1", B))
    desk.play(withdrawal("T1"))


@pytest.mark.parametrize(
    ("play", "order", "why"),
    [
        (lambda desk: desk.play(trial("T1", A), activation("A1")), "T1", "order A1 is active"),
        (lambda desk: desk.play(trial("T1", A), activation("A1"), withdrawal("A1")), "A1", "order T1 is trialing"),
        (lambda desk: desk.play(activation("A1")), "A1", "order A1 is held"),
        (stuck, "T1", "order T1 is "),
        (conflicting, "T1", "order T1 has live records, calls or mails under way, or needs somebody"),
        (lambda desk: None, "A1", "order A1 is unknown"),
    ],
)
def test_a_line_that_is_not_over_is_left_and_named(desk, play, order, why, erase):
    play(desk)
    rows = list(Order.objects.values_list("oper_user", "oper_tel"))
    with pytest.raises(CommandError, match=why):
        erase(f"--order={order}")
    assert (list(Order.objects.values_list("oper_user", "oper_tel")), Erasure.objects.count()) == (rows, 0)


@pytest.mark.parametrize("about", ["--phone=138-0000-0000", "--mail=ZHANG@example.com"])
def test_all_lines_of_a_person_are_erased_and_a_live_one_is_named(desk, about, capsys, erase):
    person = {"OperTel": "13800000000", "OperMail": "zhang@example.com"}
    desk.play(
        trial("T1", A, **person), withdrawal("T1"), trial("T2", A, **person), trial("T3", A, OperTel="1", OperMail="2")
    )
    with pytest.raises(CommandError, match="T2: not erased, because order T2 is trialing"):
        erase(about)
    assert "T1: T1: erased in" in capsys.readouterr().out
    assert [desk.order(number).oper_tel for number in ("T1", "T2", "T3")] == ["", "13800000000", "1"]
    with pytest.raises(CommandError, match="no order and no message has this phone or mail"):
        erase("--phone=13911112222")


def test_messages_about_no_order_are_erased_too(desk, erase):
    desk.refused(trial("T1", A, BizStart="x", OperTel="13800000000"))
    erase("--phone=13800000000")
    assert "13800000000" not in InboundMessage.objects.get().body


def test_a_member_that_the_profile_renames_is_erased_too(over, settings, erase):
    """One callback was refused before the erasure, and one after it. The profile renames the members with the person's
    name and words."""
    settings.PARTNERS = read_profile('[bpm.callback]\nrename = { "handler.name" = "operator", "words" = "opinion" }')
    about = {"handler": {"name": "司马一"}, "words": "问司马二", "name": "kept"}
    assert over.approve("A1", "unknown result", record="r8", **about) == 400
    erase()
    assert over.approve("A1", "unknown result", record="r9", **about) == 400
    bodies = [row.body for row in BpmCallback.objects.filter(body__contains="unknown result")]
    assert len(bodies) == 2
    for body in bodies:
        assert "kept" in body
        assert "司马" not in body


def test_a_dry_run_changes_nothing(over, capsys, erase):
    before = holding()
    erase(dry_run=True)
    assert (holding(), erased_file().exists()) == (before, False)
    assert "dry run: nothing was changed" in capsys.readouterr().out


def test_files_that_no_other_order_names_go(desk, settings, erase):
    settings.ATTACHMENT_DIR.mkdir(parents=True, exist_ok=True)
    for name in (FILE, "shared.xlsx"):
        (settings.ATTACHMENT_DIR / name).write_bytes(b"x")
    desk.play(activation("A1", InfoSecurity=FILE, BusiInfo="shared.xlsx"), activation("A2", BusiInfo="shared.xlsx"))
    desk.play(withdrawal("A1"))
    Order.objects.filter(number="A1").update(trial_number="")
    erase()
    assert {path.name for path in settings.ATTACHMENT_DIR.glob("*.xlsx")} == {"shared.xlsx"}


def test_only_the_databases_function_changes_what_is_append_only(over, erase):
    event = OrderEvent.objects.filter(order__number="A1", kind="step_done").first()
    erasing = {"order": over.order("A1"), "at": timezone.now(), "by": "x", "reason": "x"}
    erase()
    for rows, change_ in (
        (OrderEvent.objects.filter(pk=event.pk), {"data": {}}),
        (ApprovalRecord.objects.all(), {"operator": "x"}),
        (TrailEntry.objects.all(), {"data": {}}),
        (Erasure.objects.all(), {"texts": {"events": {}}}),
        (Erasure.objects.all(), {"reason": "x"}),
    ):
        with pytest.raises(Error, match="never changed"), transaction.atomic():
            rows.update(**change_)
    with pytest.raises(Error), transaction.atomic():
        Erasure.objects.all().delete()
    other = OrderEvent.objects.filter(order__number="T1").first()
    Erasure.objects.create(**erasing, texts={"events": {str(event.pk): {"x": 1}, str(other.pk): {"x": 1}}})
    assert OrderEvent.objects.get(pk=event.pk).data == {"x": 1}
    assert OrderEvent.objects.get(pk=other.pk).data == other.data


def test_a_second_person_confirms_it(over, settings, erase, committing):
    settings.FOUR_EYES, settings.SITE_URL = {"erase": 0}, "https://desk.example.com"
    staff("erase_personal_data", name="li")
    with pytest.raises(SystemExit) as ended:
        erase(by="li")
    assert (ended.value.code, Erasure.objects.count(), erased_file().exists()) == (3, 0, False)
    row = AskedAct.objects.get()
    judge, preview = staff("confirm_act", name="qian"), digest_of(row.told)
    with committing():
        confirm_second(row, judge=judge, last_event_id=last_event(row.order), digest=preview, now=timezone.now())
    assert holding() == set()


def test_in_an_emergency_nobody_is_asked(over, settings, erase):
    settings.FOUR_EYES = {"erase": 0}
    erase(by="li", emergency=True)
    assert holding() == set()
    assert over.events("A1", "act_in_emergency")


def test_the_page_erases_and_says_since_when(over, admin_client):
    order = over.order("A1")
    shown = admin_client.get(deciding(order, "erase"))
    assert "T1, C1, A1" in shown.content.decode().replace("、", ", ")
    form = filled(order, "erase", reason=f"{PEOPLE[0].name}要求") | {"told": shown.context["told"]}
    assert admin_client.post(deciding(order, "erase"), form).status_code == 302
    assert holding() == set()
    text = admin_client.get(page(order)).content.decode()
    assert "个人信息已于 2023-09-20 删除" in text
    assert deciding(order, "erase") not in text


def test_overdue_lines_are_erased_by_themselves(over, settings):
    assert erase_due(now=timezone.now() + datetime.timedelta(days=900)) == 0
    settings.PERSONAL_DATA_DAYS = 30
    assert erase_due(now=timezone.now() + datetime.timedelta(days=29)) == 0
    over.play(trial("T2", A))
    later = timezone.now() + datetime.timedelta(days=31)
    assert (erase_due(now=later), erase_due(now=later)) == (3, 0)
    assert holding() == set()
    assert over.events("A1", "personal_data_erased")[0]["reason"] == "PERSONAL_DATA_DAYS=30"
    assert over.order("T2").oper_user == "张三"


def test_an_erasure_that_a_crash_kept_out_of_the_list_enters_it(over, erase):
    erase()
    erased_file().unlink()
    erase_due(now=timezone.now())
    assert len(erased_file().read_text().splitlines()) == 3


def test_the_file_of_sqlite_holds_nothing_any_more(over, erase):
    if connection.vendor == "sqlite":
        erase()
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA secure_delete").fetchone() == (1,)
