"""Two persons count as two people (contract 3.11). A table lists who may confirm whose request, written from the
contract's sentences.

The expected results don't come from any function of the desk. People give each other accounts, roles and the like on
the pages, or the test notes what was given with its day. Confirmations are made on the page.
"""

import datetime
import io

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import Mail
from orders.models import AskedAct, Order
from orders.office.exports.models import Export
from project.models import AuthenticatorApp, EmergencyAccount, User
from tests import factories as make
from tests.admin.orders import billed, deciding, filled
from tests.office.bulking import begin, new, picked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
CLOSE = "须由其他人同意"
ASKS = {"业务人员": True, "审批主管": True, "超级用户": True, "工程师": False, "审计员": False, "管理员": False}
CONFIRMS = ASKS
"""Whether the role may ask for BPM's decision, and confirm it: by the right to decide, or by that to confirm."""


@pytest.fixture(autouse=True)
def four_eyes(settings):
    settings.FOUR_EYES = {"decide": 0, "bulk": 1, "export_personal": 0}


def person(role="业务人员", **more):
    user = make.UserFactory(**{"is_superuser": role == "超级用户", "email": ""} | more)
    user.groups.set(Group.objects.filter(name=role))
    return user


def acts(user):
    client = Client()
    client.force_login(user)
    return client


def days_ago(days):
    return timezone.now() - datetime.timedelta(days=days)


def asked(asker):
    order = billed()
    answer = acts(asker).post(deciding(order, "pass"), filled(order, "pass"), follow=True)
    return (order, AskedAct.objects.filter(order=order).first()) if answer.status_code == 200 else (order, None)


def confirm(judge, row):
    """Returns the page's answer to the confirmation, even if the page offered no button for it."""
    client = acts(judge)
    shown = client.get(reverse("admin:orders_askedact_change", args=[row.pk]))
    preview = shown.context["preview"] if shown.context and "preview" in shown.context else None
    form = {"seen": preview.last_event_id, "told": preview.told} if preview else {}
    return client.post(reverse("admin:orders_askedact_confirm", args=[row.pk]), form, follow=True)


def passes(asker, judge):
    """Returns True if the judge's confirmation carries out what the asker asked for."""
    order, row = asked(asker)
    if row is None:
        return False
    answer = confirm(judge, row)
    done = Order.objects.get(pk=order.pk).decision == "pass"
    assert done == (AskedAct.objects.get(pk=row.pk).state == "confirmed"), answer.content.decode()
    return done


# --- who gave something to whom, and how many days ago. X asks and Y confirms; `M>X 29`: M gave X something 29 days
# ago

SHAPES = {
    # nobody gave anything, or nobody gave something to both
    "": True,
    "M>X 0": True,
    "M>Y 0": True,
    "M>X 0, N>Y 0": True,
    # one of the two gave something to the other
    "X>Y 29": False,
    "X>Y 31": True,
    "Y>X 29": False,
    "Y>X 31": True,
    # the same person gave something to both
    "M>X 0, M>Y 0": False,
    "M>X 29, M>Y 29": False,
    "M>X 29, M>Y 31": True,
    "M>X 31, M>Y 29": True,
    "M>X 31, M>Y 31": True,
    # another administrator is in between
    "M>N 29, N>X 29, M>Y 29": False,
    "M>N 31, N>X 29, M>Y 29": True,
    "M>N 29, N>X 31, M>Y 29": True,
    "M>N 29, N>X 29, M>Y 31": True,
    "M>X 29, M>N 29, N>Y 29": False,
    "M>X 29, M>N 31, N>Y 29": True,
    "M>N 29, M>O 29, N>X 29, O>Y 29": False,
    "M>N 31, M>O 29, N>X 29, O>Y 29": True,
    "M>N 29, M>O 31, N>X 29, O>Y 29": True,
    # longer chains, on either side
    "M>N 29, N>O 29, O>X 29, M>Y 29": False,
    "M>N 29, N>O 31, O>X 29, M>Y 29": True,
    "M>X 29, M>N 29, N>O 29, O>P 29, P>Y 29": False,
    "M>X 29, M>N 31, N>O 29, O>P 29, P>Y 29": True,
    "M>X 29, M>N 29, N>O 29, O>P 31, P>Y 29": True,
    # one of the two gave something to the other through a third person
    "X>N 29, N>Y 29": False,
    "X>N 31, N>Y 29": True,
    "Y>N 29, N>O 29, O>X 29": False,
    "Y>N 29, N>O 31, O>X 29": True,
    # two chains, of which one still counts; and a circle
    "M>X 31, M>N 29, N>X 29, M>Y 29": False,
    "N>X 29, O>X 29, N>Y 31, O>Y 29": False,
    "N>X 29, O>X 31, N>Y 31, O>Y 29": True,
    "M>N 29, N>M 29, N>X 29, M>Y 29": False,
    "M>N 0, N>M 0, M>X 0": True,
    # what X or Y gave to others does not count as given to X or Y
    "X>N 0, Y>N 0": True,
    "X>M 0, Y>N 0": True,
    # the company log-in gives roles to everybody, so it does not count as a giver
    "company>X 0, company>Y 0": True,
    "company>M 0, company>N 0, M>X 0, N>Y 0": True,
    # somebody at the machine (a command) counts as one giver
    "machine>X 29, machine>Y 29": False,
    "machine>X 29, machine>Y 31": True,
    "machine>M 29, M>X 29, machine>Y 29": False,
}


def give(shape, people):
    """Notes the gifts of the shape, an entry of SHAPES."""
    for link in filter(None, shape.split(", ")):
        names, days = link.split()
        giver, given = names.split(">")
        account = people(given)
        if giver == "company":
            account.given_by = {**(account.given_by or {}), "company": days_ago(int(days)).isoformat()}
            account.save()
        else:
            account.note_given(None if giver == "machine" else people(giver), now=days_ago(int(days)))


def known(**there):
    """Returns a function. `people("M")` returns the account of that letter. A new letter gets a new administrator's
    account.
    """

    def people(letter):
        if letter not in there:
            there[letter] = person("管理员")
        there[letter].refresh_from_db()
        return there[letter]

    return people


@pytest.mark.parametrize("shape, two", SHAPES.items())
def test_who_is_behind_whom(shape, two):
    clerk, judge = person("业务人员"), person("审批主管")
    give(shape, known(X=clerk, Y=judge))
    assert passes(clerk, judge) is two


@pytest.mark.parametrize("shape", ["", "M>X 29, M>Y 29", "M>X 31, M>Y 29", "M>N 29, N>X 29, M>Y 29", "X>Y 29"])
@pytest.mark.parametrize("asker", ASKS)
def test_in_all_roles(asker, shape):
    """A confirmation depends on the roles of both people, and then on who has given them anything. This holds for
    superusers too.
    """
    for judge, may in CONFIRMS.items():
        first, second = person(asker), person(judge)
        give(shape, known(X=first, Y=second))
        assert passes(first, second) is (ASKS[asker] and may and SHAPES[shape]), judge


def test_a_giver_who_is_disabled_or_has_lost_the_role_is_behind_them_all_the_same():
    clerk, judge, giver = person("业务人员"), person("审批主管"), person("管理员")
    for one in (clerk, judge):
        one.note_given(giver, now=days_ago(1))
    User.objects.filter(pk=giver.pk).update(is_active=False, is_staff=False)
    giver.groups.clear()
    assert not passes(clerk, judge)


# --- what makes somebody a giver, on the pages of accounts


def change(user):
    return reverse("admin:project_user_change", args=[user.pk])


def form(user, **changes):
    """Returns the fields that a browser sends from the account's page."""
    sent = {"username": user.username, "is_active": "on", "is_staff": "on", "email": user.email, "phone": user.phone}
    sent |= {"groups": [row.pk for row in user.groups.all()], "display_name": user.display_name}
    sent |= {"user_permissions": [row.pk for row in user.user_permissions.all()]}
    return {name: value for name, value in (sent | changes).items() if value is not None}


def changing(**changes):
    return lambda client, user: client.post(change(user), form(user, **changes))


def posting(name, **data):
    return lambda client, user: client.post(reverse(f"admin:{name}", args=[user.pk]), data)


def role_taken_and_given(client, user):
    client.post(change(user), form(user, groups=[]))
    return client.post(change(user), form(user, groups=[Group.objects.get(name="业务人员").pk]))


def single_right(client, user):
    right = Permission.objects.get(codename="see_personal_data").pk
    return client.post(change(user), form(user, user_permissions=[right]))


def factor_reset(client, user):
    AuthenticatorApp.objects.create(user=user, secret="x", last_step=0)
    return posting("project_user_second_factor")(client, user)


def disabled_and_enabled(client, user):
    standing = posting("project_user_standing", active="True")(client, user)
    return posting("project_user_standing")(client, user) if standing.status_code == 302 else standing


def disabled(client, user):
    """Disables the account on the page. Somebody else enables it afterwards."""
    answer = posting("project_user_standing", active="True")(client, user)
    User.objects.filter(pk=user.pk).update(is_active=True)
    return answer


def link_shown(client, user):
    User.objects.filter(pk=user.pk).update(email="")
    answer = posting("auth_user_password_change")(client, user)
    assert "/accounts/password_reset/" in answer.text
    return answer


GIVES = {
    "role": role_taken_and_given,
    "single right": single_right,
    "password link mailed": posting("auth_user_password_change"),
    "password link shown": link_shown,
    "mail": changing(email="other@example.com"),
    "mail taken": changing(email=""),
    "name": changing(display_name="王敏"),
    "limit": changing(limited="on", attributions=["BJ"]),
    "may log in": changing(is_staff=None),
    "disabled on the form": changing(is_active=None),
    "second factor": factor_reset,
    "disabled": disabled,
    "disabled and enabled": disabled_and_enabled,
    "company": changing(company_subject="u-7"),
}
GIVES_NOTHING = {
    "phone": changing(phone="010-5550"),
    "the page saved as it is": changing(),
    "looked at": lambda client, user: client.get(change(user)),
    "sessions ended": posting("project_user_sessions", end="all"),
    "leave": posting("project_user_leave", act="enter", first="2026-12-01", last="2099-12-05", deputy="0"),
}


def put_back(user, **fields):
    """Restores all that an account needs to ask or to confirm. What was given stays noted."""
    User.objects.filter(pk=user.pk).update(is_active=True, is_staff=True, limited=False, **fields)
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("days, two", [(29, False), (31, True)])
@pytest.mark.parametrize("what", GIVES)
def test_what_makes_a_giver(settings, what, days, two):
    """The same administrator gives the asker one thing and the confirmer another."""
    settings.OIDC_ISSUER = "https://id.example.com"
    root, clerk, judge = person("超级用户"), person("业务人员", email="x@x.cn"), person("审批主管", email="y@x.cn")
    with time_machine.travel(days_ago(days), tick=False):
        assert GIVES[what](acts(root), clerk).status_code in {200, 302}
        changing(display_name="李雷")(acts(root), judge)
    clerk, judge = put_back(clerk), put_back(judge)
    assert passes(clerk, judge) is two


@pytest.mark.parametrize("what", GIVES_NOTHING)
def test_what_makes_none(what):
    root, clerk, judge = person("超级用户"), person("业务人员", email="x@x.cn"), person("审批主管", email="y@x.cn")
    assert GIVES_NOTHING[what](acts(root), clerk).status_code in {200, 302}
    changing(display_name="李雷")(acts(root), judge)
    assert passes(put_back(clerk), put_back(judge))


@pytest.mark.parametrize("days, two", [(29, False), (31, True)])
def test_the_play_of_one_administrator_alone(days, two):
    """An administrator makes two accounts on the page, and a second administrator's account. This second administrator
    makes the account of another asker.
    """
    root, roles = person("超级用户"), dict(Group.objects.values_list("name", "pk"))

    def made(client, name, role):
        given = {"username": name, "sees": "all", "is_staff": "on", "groups": [roles[role]]}
        assert client.post(reverse("admin:project_user_add"), given).status_code in {200, 302}
        return User.objects.get(username=name)

    with time_machine.travel(days_ago(days), tick=False):
        clerk, judge = made(acts(root), "x", "业务人员"), made(acts(root), "y", "审批主管")
        helper = made(acts(root), "m", "管理员")
        theirs = made(acts(helper), "z", "业务人员")
    for asker in (clerk, theirs):
        assert passes(asker, judge) is two
    assert not passes(judge, judge)


def test_a_person_who_works_with_what_was_made_is_no_second_person_of_others_of_the_same_day():
    """An administrator removes the mail addresses of two people, and gets the password links of both shown. The two
    are then not two people.
    """
    root, clerk, judge = person("超级用户"), person("业务人员", email="x@x.cn"), person("审批主管", email="y@x.cn")
    for one in (clerk, judge):
        acts(root).post(change(one), form(one, email=""))
        link_shown(acts(root), one)
    assert not passes(put_back(clerk), put_back(judge))


@pytest.mark.parametrize("days, two", [(29, False), (31, True)])
@pytest.mark.parametrize("by", [(None, None), ("li", "wang"), ("li", None), ("nobody", "none")])
def test_links_for_an_emergency_come_from_one_machine_whoever_is_named(settings, by, days, two):
    settings.PASSWORD_LOGIN = "emergency"
    clerk, judge = person("业务人员"), person("审批主管")
    for name in ("li", "wang"):
        person("管理员", username=name)
    with time_machine.travel(days_ago(days), tick=False):
        for one, name in zip((clerk, judge), by, strict=True):
            call_command("emergency_account", one.username, stdout=io.StringIO(), **({"by": name} if name else {}))
    assert EmergencyAccount.objects.count() == 2
    assert passes(clerk, judge) is two


# --- what else needs a second person

COMMON = "M>N 29, N>X 29, M>Y 29"


@pytest.mark.parametrize("days, two", [(29, False), (31, True)])
def test_an_export_of_people_s_data(days, two):
    clerk, judge = person("业务人员"), person("审批主管")
    make.OrderFactory()
    give(f"M>X {days}, M>Y 29", known(X=clerk, Y=judge))
    ask = {"format": "csv", "columns": ["number", "oper_tel"], "personal": "on", "reason": "回访"}
    acts(clerk).post(reverse("admin:orders_export_new", args=["orders"]), ask)
    row = Export.objects.get()
    answer = acts(judge).post(reverse("admin:orders_export_judge", args=[row.pk]), {"agree": "1"}, follow=True)
    row.refresh_from_db()
    assert (row.state != "asked", CLOSE not in answer.text) == (two, two)


@pytest.mark.parametrize("shape, two", [(COMMON, False), ("M>N 31, N>X 29, M>Y 29", True)])
def test_a_token_that_reads_people_s_data(settings, shape, two):
    settings.EXPORT_SECOND_PERSON = True
    keeper, judge = person("管理员"), person("审批主管")
    give(shape, known(X=keeper, Y=judge))
    row = make.ApiTokenFactory(personal=True, made_by=f"staff:{keeper.username}", maker_id=keeper.pk)
    answer = acts(judge).post(reverse("admin:integrations_apitoken_agree", args=[row.pk]), follow=True)
    row.refresh_from_db()
    assert (row.judged_at is not None, CLOSE not in answer.text) == (two, two)


@pytest.mark.parametrize("shape, two", [(COMMON, False), ("M>N 29, N>X 31, M>Y 29", True)])
def test_an_act_on_many_rows(shape, two):
    clerk, judge = person("业务人员"), person("审批主管")
    give(shape, known(X=clerk, Y=judge))
    begin(acts(clerk), new("note", picked(make.OrderFactory(), make.OrderFactory())))
    row = AskedAct.objects.get()
    confirm(judge, row)
    row.refresh_from_db()
    assert (row.state == "confirmed") is two


# --- what the pages say


def test_a_refusal_and_the_account_s_pages_say_from_when_on(settings):
    moment = datetime.datetime(2026, 11, 20, 9, 30, tzinfo=datetime.UTC)
    with time_machine.travel(moment, tick=False):
        clerk, judge = person("业务人员"), person("审批主管")
        root = person("超级用户", display_name="赵总")
        clerk.note_given(root, now=moment - datetime.timedelta(days=9))
        judge.note_given(root, now=moment - datetime.timedelta(days=2))
        _order, row = asked(clerk)
        shown = confirm(judge, row).text
        assert "2026-12-11 17:30" in shown  # 30 days after the older of the two gifts, in Shanghai's time
        assert CLOSE in shown
        for client, url in (
            (acts(root), change(judge)),
            (acts(root), reverse("admin:project_user_sessions", args=[judge.pk])),
            (acts(judge), reverse("admin:sessions")),
        ):
            text = client.get(url).text
            assert "2026-12-18 17:30" in text  # for confirmations with anybody
            assert "赵总" in text
        assert "2026" not in acts(root).get(reverse("admin:sessions")).context["second_person"]
    assert "对所有人有效" in acts(root).get(change(root)).text


@pytest.mark.parametrize(
    "shape, days",
    [
        ("M>X 9, M>Y 2", 21),
        ("X>Y 10", 20),
        ("M>N 25, N>X 2, M>Y 1", 5),
        ("M>N 2, N>X 25, M>Y 1", 5),
        ("M>N 25, N>X 2, M>X 12, M>Y 1", 18),  # two chains to the same giver: the one that counts longer
        ("N>X 10, N>Y 20, O>X 28, O>Y 1", 10),  # two givers: the one that counts longer
    ],
)
def test_the_refusal_says_when_the_last_giver_in_common_is_over_and_it_is_so(shape, days):
    """A chain of gifts counts as long as its oldest link counts."""
    moment = datetime.datetime(2026, 11, 20, 1, 30, tzinfo=datetime.UTC)
    over = moment + datetime.timedelta(days=days)
    with time_machine.travel(moment, tick=False) as clock:
        clerk, judge = person("业务人员"), person("审批主管")
        give(shape, known(X=clerk, Y=judge))
        _order, row = asked(clerk)
        assert f"{over:%Y-%m-%d} 09:30" in confirm(judge, row).text
        for at, two in ((over - datetime.timedelta(seconds=1), False), (over, True)):
            clock.move_to(at)
            assert passes(clerk, judge) is two


def test_nobody_is_mailed_or_waited_for_who_can_not_confirm():
    clerk, close, other = person("业务人员"), person("审批主管", email="y@x.cn"), person("审批主管", email="z@x.cn")
    give("M>X 1, M>Y 1", known(X=clerk, Y=close))
    asked(clerk)
    told = Mail.objects.get(kind="notice_act_asked").recipients
    assert (close.email in told, other.email in told) == (False, True)
    listed = reverse("admin:orders_askedact_changelist") + "?mine=confirm"
    for judge, number in ((close, 0), (other, 1), (clerk, 0)):
        assert acts(judge).get(listed).context["cl"].result_count == number
        assert ("1 项操作待您复核" in acts(judge).get(reverse("admin:index")).text) == bool(number)
