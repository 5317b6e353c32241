"""A person who uses the company log-in: their account on the desk, and their rights (contract 4, OIDC_ROLES)."""

import datetime

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils import timezone

from orders.models import OrderEvent, TrailEntry
from project.accounts.company.account_provisioning import MAIL_LINK_VALID_FOR
from project.base.settings_table import grants
from project.models import CompanyAccount, EmergencyAccount, User
from project.trail.trail_query import TrailFilter, newest_acts
from tests import factories
from tests.admin.test_accounts import form, page
from tests.company.conftest import CALLBACK, sent

pytestmark = pytest.mark.django_db
MAIL = {"email": "li@example.com", "email_verified": True}


def user_of(answer) -> User:
    assert answer.status_code == 302, answer.content.decode()
    return User.objects.get(pk=answer.browser.session["_auth_user_id"])


def may(user: User) -> tuple[set[str], bool, set[str]]:
    user.refresh_from_db()
    letters = set(user.attributions.values_list("letters", flat=True))
    return set(user.groups.values_list("name", flat=True)), user.limited, letters


@pytest.mark.parametrize(
    "groups, given",
    [
        (["ibs-bj"], ({"业务人员"}, True, {"BJ", "TJ"})),
        (["ibs-admin", "lunch"], ({"管理员"}, False, set())),
        (["ibs-bj", "ibs-sh"], ({"业务人员", "工程师"}, True, {"BJ", "TJ", "SH"})),
        (["ibs-bj", "ibs-all"], ({"业务人员", "工程师"}, True, {"BJ", "TJ"})),
        ("ibs-admin", ({"管理员"}, False, set())),
        (["cn=ibs,ou=audit", 7, None, {"a": 1}], ({"审计员"}, False, set())),
    ],
)
def test_groups_give_roles_and_limits(browser, groups, given):
    assert may(user_of(browser(groups=groups))) == given


def test_a_group_that_gives_two_roles(browser, settings):
    settings.OIDC_ROLES = grants("OIDC_ROLES", "ibs=业务人员;ibs=审批主管")
    assert may(user_of(browser(groups=["ibs"]))) == ({"业务人员", "审批主管"}, False, set())


def test_each_log_in_gives_and_takes_and_what_changed_is_told_once(browser):
    user = user_of(browser(groups=["ibs-bj", "ibs-all"]))
    for groups in (["ibs-bj", "ibs-all"], ["ibs-sh"]):
        user_of(browser(groups=groups))
    assert may(user) == ({"工程师"}, True, {"SH"})
    user_of(browser(groups=["ibs-admin"]))
    assert may(user) == ({"管理员"}, False, set())
    told = [(row.actor, row.data) for row in OrderEvent.objects.filter(kind="account_roles").order_by("pk")]
    about = {"account": "li.ming"}
    assert told == [
        ("company", about | {"roles": "+ 业务人员 + 工程师", "limit_before": "*", "limit": "BJ+TJ"}),
        ("company", about | {"roles": "− 业务人员", "limit_before": "BJ+TJ", "limit": "SH"}),
        ("company", about | {"roles": "+ 管理员 − 工程师", "limit_before": "SH", "limit": "*"}),
    ]


def test_what_was_given_by_hand_is_not_kept_and_the_trail_says_from_what_to_what(browser):
    user = user_of(browser(groups=["ibs-bj"]))
    user.groups.add(Group.objects.get(name="管理员"))
    user.user_permissions.add(Permission.objects.get(codename="judge_export"))
    User.objects.filter(pk=user.pk).update(is_superuser=True, limited=False)
    user.attributions.clear()
    user_of(browser(groups=["ibs-bj"]))
    assert may(user) == ({"业务人员"}, True, {"BJ", "TJ"})
    assert (user.is_superuser, user.user_permissions.exists()) == (False, False)
    [act, *_before] = newest_acts(TrailFilter(kind="accounts"), number=2)
    taken = "订单管理 · 导出记录：同意他人导出个人信息"
    assert act.words == f"按公司账号登录调整 li.ming 的角色：− 管理员；归属：* → BJ+TJ；收回：超级用户、{taken}"


@pytest.mark.whole
def test_a_role_that_the_provider_takes_ends_the_sessions_of_before(browser):
    first = browser(groups=["ibs-bj", "ibs-sh"]).browser
    second = browser(groups=["ibs-bj", "ibs-sh"]).browser
    index = reverse("admin:index")
    assert [one.get(index).status_code for one in (first, second)] == [200, 200]
    again = browser(groups=["ibs-bj"], client=first)
    assert again.status_code == 302
    assert [one.get(index).status_code for one in (first, second)] == [200, 302]
    assert browser(groups=["ibs-bj"]).status_code == 302
    assert first.get(index).status_code == 200


@pytest.mark.parametrize("groups", [[], ["lunch"], None, "", {"ibs-bj": True}, ["IBS-BJ"]])
def test_nobody_without_a_group_gets_in_or_an_account(browser, groups):
    answer = browser(groups=groups)
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "值班" in text
    assert "desk@example.com" in text
    assert not User.objects.exists()
    assert "_auth_user_id" not in answer.browser.session


def test_who_lost_all_groups_loses_all_roles_and_the_running_session_with_them(browser):
    inside = browser(groups=["ibs-bj"])
    user = user_of(inside)
    assert browser(groups=[]).status_code == 403
    assert inside.browser.get(reverse("admin:index")).status_code == 302
    # the limit stays, because otherwise a role that is given by hand later would show all orders
    assert may(user) == (set(), True, {"BJ", "TJ"})
    event = OrderEvent.objects.filter(kind="account_roles").last()
    assert (event.data["roles"], event.data["limit"]) == ("− 业务人员", "BJ+TJ")


@pytest.mark.parametrize("groups", [["ibs-bj", "ibs-admin"], ["ibs-admin", "cn=ibs,ou=audit"]])
def test_groups_whose_roles_must_stay_apart_let_nobody_in(browser, groups):
    answer = browser(groups=groups)
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "不能由同一人担任" in text
    assert "desk@example.com" in text
    assert not User.objects.exists()
    refused = TrailEntry.objects.get()
    assert (refused.code, refused.data) == ("login_refused", {"why": "roles_apart"})
    inside = browser(groups=["ibs-bj"])
    user = user_of(inside)
    assert browser(groups=groups).status_code == 403
    assert may(user) == (set(), True, {"BJ", "TJ"})  # the limit to attributions stays
    assert inside.browser.get(reverse("admin:orders_order_changelist")).status_code == 302  # the session has ended
    assert may(user_of(browser(groups=["ibs-admin"])))[0] == {"管理员"}


def test_a_group_that_is_named_no_more_takes_its_roles(browser, settings):
    user = user_of(browser(groups=["ibs-bj", "ibs-all"]))
    settings.OIDC_ROLES = grants("OIDC_ROLES", "ibs-bj=业务人员:BJ")
    user_of(browser(groups=["ibs-bj", "ibs-all"]))
    assert may(user) == ({"业务人员"}, True, {"BJ"})


def test_a_role_that_was_removed_gives_nothing(browser, settings):
    settings.OIDC_ROLES = grants("OIDC_ROLES", "ibs-bj=没有的角色:BJ")
    assert browser(groups=["ibs-bj"]).status_code == 403


def test_groups_may_come_by_userinfo_of_the_same_person_alone(browser, issuer):
    issuer.userinfo = {"sub": "u-1", "groups": ["ibs-sh"], "aud": "x", "iss": "y"}
    assert may(user_of(browser(groups=None)))[0] == {"工程师"}
    issuer.userinfo = {"sub": "u-2", "groups": ["ibs-admin"]}
    assert browser(groups=None).status_code == 400


def test_the_claim_has_the_name_that_is_set(browser, issuer, settings):
    settings.OIDC_CLAIM = "ibs_roles"
    issuer.description = {"scopes_supported": ["openid", "ibs_roles"]}
    assert browser(groups=["ibs-admin"], ibs_roles=[]).status_code == 403
    assert may(user_of(browser(groups=[], ibs_roles=["ibs-sh"])))[0] == {"工程师"}


# --- Names of new accounts


@pytest.mark.parametrize(
    "claims, name",
    [
        ({"preferred_username": "wang"}, "wang"),
        ({"preferred_username": "Taken"}, "Taken-3"),
        ({"preferred_username": "wang\nming\r\0\u202e"}, "wangming"),
        ({"preferred_username": "<b>王 敏</b>"}, "b王敏b"),
        ({"preferred_username": None, "sub": "a|b c"}, "abc"),
        ({"preferred_username": "///", "sub": "u-9"}, "u-9"),
        ({"preferred_username": ["x"], "sub": "|||"}, "person"),
        ({"preferred_username": "x" * 300}, "x" * 100),
    ],
)
def test_a_new_account_has_a_name_that_nobody_ever_had(browser, claims, name):
    for taken in ("taken", "taken-2"):
        factories.UserFactory(username=taken)
    assert user_of(browser(**claims)).username == name


@pytest.mark.parametrize(
    "claims, mail",
    [
        (MAIL, "li@example.com"),
        (MAIL | {"email_verified": False}, ""),
        (MAIL | {"email_verified": "true"}, ""),
        ({"email": "li@example.com"}, ""),
        (MAIL | {"email": "no mail\n"}, ""),
        (MAIL | {"email": ["li@example.com"]}, ""),
    ],
)
def test_only_a_verified_mail_is_taken_over(browser, claims, mail):
    assert user_of(browser(**claims)).email == mail


def test_a_display_name_that_can_t_be_one_is_left_out(browser):
    assert user_of(browser(name="李\n明")).display_name == ""


# --- An account that exists already: only an administrator links it


@pytest.fixture
def account():
    return factories.UserFactory(username="li", email="li@example.com")


@pytest.fixture
def manager(issuer, member):
    return member("管理员")


def join(manager, account, **changes):
    return manager.post(page(account), form(account, email=account.email) | changes)


def refusals(answer) -> dict:
    assert answer.status_code == 200
    return answer.context["adminform"].form.errors


def test_neither_name_nor_mail_joins_by_itself(browser, account):
    other = user_of(browser(preferred_username="li", **MAIL))
    assert other != account
    assert other.username == "li-2"


def test_an_administrator_joins_by_the_person_s_number(browser, manager, account):
    assert join(manager, account, company_subject="u-1").status_code == 302
    assert user_of(browser()) == account
    assert may(account) == ({"业务人员"}, True, {"BJ", "TJ"})
    assert list(factories.fresh(account).given_by) == [str(manager.person.pk)]
    event = OrderEvent.objects.get(kind="account_joined")
    assert (event.account_id, event.data) == (manager.person.pk, {"account": "li", "caller": "127.0.0.1"})
    history = manager.get(reverse("admin:project_user_history", args=[account.pk])).content.decode()
    assert "人员标识：（空） → u-1" in history
    assert "已关联公司账号。" in manager.get(page(account)).text


def test_a_verified_mail_joins_once_where_an_administrator_lets_it(browser, manager, account):
    assert join(manager, account, company_mail="on").status_code == 302
    assert user_of(browser(sub="u-7", email="LI@example.com", email_verified=False, preferred_username="x")) != account
    assert user_of(browser(**MAIL | {"email": "LI@example.com"})) == account
    assert user_of(browser(sub="u-8", preferred_username="y", **MAIL)) != account
    assert user_of(browser(email="another@example.com")) == account


def test_a_mail_that_waited_too_long_joins_nobody(browser, manager, account):
    join(manager, account, company_mail="on")
    CompanyAccount.objects.update(until=timezone.now() - datetime.timedelta(seconds=1))
    assert user_of(browser(**MAIL)) != account
    assert datetime.timedelta(days=7) == MAIL_LINK_VALID_FOR


def test_two_accounts_with_one_mail_are_never_joined_by_it(browser, manager, account):
    twin = factories.UserFactory(username="li2", email="Li@example.com")
    assert "company_mail" in refusals(join(manager, account, company_mail="on"))
    User.objects.filter(pk=twin.pk).update(email="")
    assert join(manager, account, company_mail="on").status_code == 302
    User.objects.filter(pk=twin.pk).update(email="LI@example.com")
    assert user_of(browser(**MAIL)) not in {account, twin}


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"company_subject": "u-1", "company_mail": "on"}, "company_mail"),
        ({"company_mail": "on", "email": ""}, "company_mail"),
        ({"company_subject": "theirs"}, "company_subject"),
        ({"company_subject": "x" * 256}, "company_subject"),
    ],
)
def test_what_makes_no_sense_is_refused(manager, account, settings, changes, field):
    CompanyAccount.objects.create(user=factories.UserFactory(), issuer=settings.OIDC_ISSUER, subject="theirs")
    assert field in refusals(join(manager, account, **changes))
    assert not CompanyAccount.objects.filter(user=account).exists()


def test_accounts_with_all_rights_and_for_an_emergency_stay_apart(browser, manager, account, admin_client):
    assert join(manager, account, company_mail="on").status_code == 302
    User.objects.filter(pk=account.pk).update(is_superuser=True)
    assert "company_subject" in refusals(join(admin_client, account, company_subject="u-1", is_superuser="on"))
    assert user_of(browser(**MAIL)) != account
    User.objects.filter(pk=account.pk).update(is_superuser=False)
    EmergencyAccount.objects.create(user=account, marked_at=timezone.now())
    assert "company_subject" in refusals(join(manager, account, company_subject="u-2"))


def test_a_person_who_was_faster_keeps_the_account_that_they_got(manager, account, settings, monkeypatch):
    theirs = CompanyAccount.objects.create(user=factories.UserFactory(), issuer=settings.OIDC_ISSUER, subject="u-1")
    monkeypatch.setattr("project.accounts.account_admin.why_link_refused", lambda *_user, **_asked: None)
    assert "此人刚刚已有账号" in manager.get(join(manager, account, company_subject="u-1")["Location"]).text
    assert list(CompanyAccount.objects.all()) == [theirs]


def test_an_account_stays_joined_until_it_is_parted_which_is_told(browser, manager, account):
    join(manager, account, company_subject="u-1")
    join(manager, account, company_subject="u-1", display_name="李明")
    assert user_of(browser()) == account
    assert join(manager, account).status_code == 302
    assert OrderEvent.objects.filter(kind="account_unjoined").count() == 1
    assert user_of(browser()) != account


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_a_disabled_account_lets_nobody_in(browser, change):
    user = user_of(browser())
    User.objects.filter(pk=user.pk).update(**change)
    answer = browser()
    assert (answer.status_code, "账号已停用" in answer.content.decode()) == (403, True)
    assert User.objects.count() == 1


@pytest.mark.parametrize("hours, said", [(12, "最晚 12 小时后退出本系统"), (0, "不会到时自动退出")])
def test_the_account_s_page_says_when_somebody_disabled_there_is_out(manager, account, settings, hours, said):
    settings.SESSION_MAX_HOURS = hours
    assert said in manager.get(page(account)).text


def test_without_the_setting_an_account_s_page_is_as_it_was(member, account):
    text = member("管理员").get(page(account)).text
    assert "company_" not in text
    assert "公司账号" not in text


def test_who_may_only_look_sees_the_state_and_no_number(issuer, account, member):
    CompanyAccount.objects.create(user=account, issuer="x", subject="secret-number")
    text = member("审计员").get(page(account)).text
    assert "已关联公司账号。" in text
    assert "secret-number" not in text


def test_the_trail_names_whom_the_company_log_in_let_in_and_whom_not(browser):
    user = user_of(browser(groups=["ibs-bj"]))
    browser(groups=[])
    let_in, refused = TrailEntry.objects.order_by("pk")
    assert (let_in.code, let_in.account_id, let_in.data) == ("login", user.pk, {"way": "company"})
    assert (refused.code, refused.actor, refused.about) == ("login_refused", "company", user.get_username())
    assert refused.data == {"why": "no_group"}


def test_failures_of_the_company_log_in_are_noted_and_a_flood_of_them_fills_nothing(issuer, settings):
    """At most five rows of each kind are kept for an address within 15 minutes. Log-ins by password need no such
    limit, because five failures lock an account.
    """
    said = "x" * 5000

    def comes_back(address="127.0.0.1", **answer):
        client, asked = sent()
        client.get(CALLBACK, {"state": asked["state"], **answer}, REMOTE_ADDR=address)

    for _ in range(7):
        comes_back(code=said)
    comes_back(error=said)
    comes_back("10.0.0.9", code=said)
    client, asked = sent()
    issuer.status = 500
    client.get(CALLBACK, {"code": said, "state": asked["state"]})
    rows = TrailEntry.objects.order_by("pk")
    assert [(row.code, row.actor, row.about, row.data["why"], row.address) for row in rows] == [
        *[("login_failed", "", "", "wrong", "127.0.0.1")] * 5,
        ("login_failed", "", "", "denied", "127.0.0.1"),
        ("login_failed", "", "", "wrong", "10.0.0.9"),
        ("login_failed", "", "", "away", "127.0.0.1"),
    ]
    acts = newest_acts(TrailFilter(kind="login_failed"), number=3)
    assert [act.more for act in acts] == [
        "公司账号登录：账号系统没有响应",
        "公司账号登录：账号系统的答复无效",
        "公司账号登录：账号系统没有放行",
    ]
    issuer.status = 200
    with time_machine.travel(timezone.now() + settings.AXES_COOLOFF_TIME):
        comes_back(code=said)
    assert rows.filter(data__why="wrong", address="127.0.0.1").count() == 6
