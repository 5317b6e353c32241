"""Administrators make tokens, see each token once, and revoke tokens. Nobody else may."""

import datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from integrations.models import ApiToken
from tests import factories as make
from tests.api.conftest import System

pytestmark = pytest.mark.django_db
LIST, ADD = (reverse(f"admin:integrations_apitoken_{page}") for page in ("changelist", "add"))
NEXT_YEAR = (timezone.localdate() + datetime.timedelta(days=365)).isoformat()
FORM = {"system": "BBOSS 查询", "valid_until": NEXT_YEAR}


def page(token, name="change"):
    return reverse(f"admin:integrations_apitoken_{name}", args=[token.pk])


def made(staff, **form):
    answer = staff.post(ADD, FORM | form)
    assert "text" in answer.context, answer.context["adminform"].form.errors
    return answer


def errors(staff, **form):
    return set(staff.post(ADD, FORM | form).context["adminform"].form.errors)


def test_a_token_is_shown_once_and_works(member):
    cache.clear()
    staff, order = member(), make.OrderFactory(attribution_id="BJ")
    staff.person.is_superuser = True
    staff.person.save()
    make.OrderFactory(attribution_id="SH")
    answer = made(staff, limited="on", attributions=["BJ"], personal="on")
    text, token = answer.context["text"], ApiToken.objects.get()
    assert text in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    for url in (
        LIST,
        page(token),
        page(token, "history"),
        page(token, "revoke"),
        reverse("admin:orders_orderevent_changelist"),
    ):
        assert text not in staff.get(url).content.decode()
    assert System(staff, text).orders() == [order.number]
    assert (token.made_by, token.personal) == (f"staff:{staff.person.username}", True)
    assert LogEntry.objects.get().object_id == str(token.pk)


def test_a_token_reads_all_orders_masked_where_no_second_person_agrees_to_more(member):
    made(member("管理员"), personal="on")
    token = ApiToken.objects.get()
    assert (token.limited, token.personal, token.valid_until.isoformat()) == (False, False, NEXT_YEAR)


@pytest.mark.parametrize(
    "form, wrong",
    [
        ({"system": ""}, {"system"}),
        ({"system": "x" * 81}, {"system"}),
        ({"system": "a\0b"}, {"system"}),
        ({"system": "D\u202eE"}, {"system"}),
        ({"valid_until": "2020-01-01"}, {"valid_until"}),
        ({"valid_until": "2099-12-31"}, {"valid_until"}),
        ({"valid_until": "soon"}, {"valid_until"}),
        ({"valid_until": ""}, {"valid_until"}),
        ({"limited": "on"}, {"limited"}),
        ({"attributions": ["BJ"]}, {"limited"}),
        ({"limited": "on", "attributions": ["XX"]}, {"attributions", "limited"}),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(member, form, wrong):
    assert errors(member("管理员"), **form) == wrong
    assert not ApiToken.objects.exists()


def test_sending_the_form_again_makes_no_second_token(member):
    staff = member("管理员")
    made(staff)
    assert errors(staff) == {"system"}
    assert errors(staff, system=FORM["system"].lower()) == {"system"}
    assert ApiToken.objects.count() == 1


def test_a_system_whose_token_expired_gets_a_new_one(member):
    old = make.ApiTokenFactory(system=FORM["system"], valid_until=datetime.date(2020, 1, 1))
    made(member("管理员"))
    assert make.fresh(old).revoked_at


def test_revoking_says_what_happens_asks_why_and_is_in_the_history(member):
    cache.clear()
    staff = member("管理员")
    text = made(staff).context["text"]
    token = ApiToken.objects.get()
    assert page(token, "revoke") in staff.get(page(token)).content.decode()
    assert "401" in staff.get(page(token, "revoke")).content.decode()
    assert staff.post(page(token, "revoke"), {"reason": " "}).context["form"].errors
    assert System(staff, text).get("/api/orders/").status_code == 200
    assert staff.post(page(token, "revoke"), {"reason": "系统下线"}).status_code == 302
    assert System(staff, text).get("/api/orders/").status_code == 401
    assert "系统下线" in staff.get(page(token, "history")).content.decode()
    assert page(token, "revoke") not in staff.get(page(token)).content.decode()
    assert staff.post(page(token, "revoke"), {"reason": "x"}).status_code == 302
    assert make.fresh(token).revoked_by == f"staff:{staff.person.username}"
    made(staff)


@pytest.mark.parametrize("role", ["业务人员", "工程师", "审计员"])
def test_nobody_else_sees_or_makes_them(member, role):
    token, staff = make.ApiTokenFactory(), member(role)
    for url in (LIST, ADD, page(token), page(token, "revoke")):
        assert staff.get(url).status_code == 403
        assert staff.post(url, FORM | {"reason": "x"}).status_code == 403
    assert ApiToken.objects.get().revoked_at is None


def test_an_administrator_of_some_attributions_makes_none(member):
    """A token may read all orders, so an administrator who may see only some must not make one."""
    token, staff = make.ApiTokenFactory(), member("管理员", letters=["BJ"])
    assert token.system not in staff.get(LIST).content.decode()
    assert staff.post(ADD, FORM).status_code == 403
    assert staff.post(page(token, "revoke"), {"reason": "x"}).status_code == 403


def test_who_may_not_see_people_s_data_gives_no_token_that_does(member):
    staff = member("管理员")
    role = staff.person.groups.get()
    role.permissions.remove(*role.permissions.filter(codename="see_personal_data"))
    assert 'name="personal"' not in staff.get(ADD).content.decode()
    made(staff, personal="on")
    assert ApiToken.objects.get().personal is False
