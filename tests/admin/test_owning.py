"""On the pages of orders, incidents and differences, staff take them over and hand them over. Lists show the owner of
each row.
"""

import pytest
from django.urls import reverse

from notifications.models import Mail
from orders.models import OrderEvent
from tests import factories as make
from tests.admin.walking import colleague, page_of, unrendered

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["order", "incident", "difference"])
def row(request):
    order = make.OrderFactory(attribution_id="BJ", state="failed")
    if request.param == "order":
        return order
    if request.param == "incident":
        return make.AffectedOrderFactory(order=order).incident
    return make.DifferenceFactory(order=order)


def own(client, row, act, **more):
    return client.post(reverse(f"admin:orders_{row._meta.model_name}_own", args=[row.pk]), {"act": act, **more})


def test_it_is_taken_and_handed_over_from_its_page(member, row):
    wang, staff = colleague("wang", "王敏"), member("业务人员")
    assert "认领" in staff.get(page_of(row)).text
    assert own(staff, row, "take", seen=0)["Location"] == page_of(row)
    row.refresh_from_db()
    assert row.owner == staff.person
    asked = staff.get(reverse(f"admin:orders_{row._meta.model_name}_own", args=[row.pk]))
    choices = [value for value, _name in asked.context["form"].fields["to"].choices]
    assert choices == ["", str(wang.pk)]
    assert own(staff, row, "give", to=wang.pk, seen=row.owner_id, reason="休假").status_code == 302
    row.refresh_from_db()
    assert row.owner == wang
    shown = staff.get(page_of(row)).text
    assert "王敏" in shown
    assert Mail.objects.to_staff().get().recipients == ["wang@x.cn"]
    own(staff, row, "back", seen=wang.pk)
    row.refresh_from_db()
    assert row.owner is None


def test_a_stale_page_takes_nothing_silently(member, row):
    wang, staff = colleague("wang", "王敏"), member("业务人员")
    type(row).objects.update(owner=wang, owner_since="2026-11-25T02:00Z")
    answer = own(staff, row, "take", seen=0)
    assert answer.status_code == 409
    assert "王敏" in answer.text
    assert "2026-11-25 10:00" in answer.text
    row.refresh_from_db()
    assert row.owner == wang
    assert own(staff, row, "take", seen=answer.context["form"].data["seen"]).status_code == 302
    row.refresh_from_db()
    assert row.owner == staff.person


def test_nobody_outside_its_attribution_or_without_the_right_gets_it(member, row):
    shanghai, administrator = colleague("sh", letters=["SH"]), colleague("guan", role="管理员")
    staff = member("业务人员", letters=["BJ"])
    for person in (shanghai, administrator):
        assert own(staff, row, "give", to=person.pk, seen=0).context["form"].errors["to"]
    assert own(member("业务人员", letters=["SH"]), row, "take", seen=0).status_code in {403, 404}
    for role in ("审计员", "管理员"):
        reader = member(role)
        assert "认领" not in reader.get(page_of(row)).text
        assert own(reader, row, "take", seen=0).status_code == 403
    row.refresh_from_db()
    assert row.owner is None


@pytest.mark.parametrize("data", [{}, {"seen": "x"}, {"seen": 0, "reason": "长" * 400_000}, {"act": "zzz"}])
def test_rubbish_is_a_form_error(member, row, data):
    answer = own(member("业务人员"), row, data.pop("act", "take"), **data)
    assert answer.status_code == (404 if not data else 200) or answer.context["form"].errors
    row.refresh_from_db()
    assert row.owner is None


def found(client, row, owner):
    url = reverse(f"admin:orders_{row._meta.model_name}_changelist")
    return [one.pk for one in unrendered(client.person, url, {"owner": owner}).context_data["cl"].result_list]


def test_the_filter_says_mine_nobodys_and_a_persons(member, row):
    wang, staff = colleague("wang", "王敏"), member("业务人员")
    assert (found(staff, row, "me"), found(staff, row, "nobody")) == ([], [row.pk])
    own(staff, row, "take", seen=0)
    assert (found(staff, row, "me"), found(staff, row, "nobody")) == ([row.pk], [])
    assert (found(staff, row, staff.person.pk), found(staff, row, wang.pk)) == ([row.pk], [])
    assert found(staff, row, 10**12) == []


def test_the_search_leads_to_what_a_person_has(member):
    wang = colleague("wang", "王敏")
    order = make.OrderFactory(state="failed", owner=wang)
    staff = member("业务人员")
    for term in ("王敏", "wang"):
        [hit] = [hit for group in staff.get("/admin/find/", {"q": term}).context["groups"] for hit in group.hits]
        assert [one.pk for one in staff.get(hit.url).context["cl"].result_list] == [order.pk]


def test_many_are_handed_over_at_once(member, row):
    wang, staff = colleague("wang", "王敏"), member("业务人员")
    key = f"own_{row._meta.model_name}s"
    url = f"{reverse('admin:orders_bulkrun_new', args=[key])}?pick={row.pk}"
    form = staff.get(url).context["form"]
    assert staff.post(url, {"draft": form.initial["draft"], "to": wang.pk, "reason": ""}).status_code == 302
    row.refresh_from_db()
    assert row.owner == wang
    assert [(one.kind, one.recipients) for one in Mail.objects.to_staff().all()] == [
        ("notice_owner_all", ["wang@x.cn"])
    ]
    assert OrderEvent.objects.filter(data__owner="wang", data__run__isnull=False).exists()


def test_a_leave_stands_beside_the_name(member, row):
    deputy = colleague("li", "李娜")
    wang = colleague("wang", "王敏", away_until="2099-12-05", deputy=deputy)
    type(row).objects.update(owner=wang)
    staff = member("业务人员")
    words = "王敏（离岗至 2099-12-05，代理人 李娜）"
    assert words in staff.get(page_of(row)).text
    assert words in staff.get(reverse(f"admin:orders_{row._meta.model_name}_changelist")).text


@pytest.mark.parametrize(
    "more, words",
    [
        ({"is_active": False}, "代理人 李娜 的账号已停用"),
        ({"is_staff": False}, "代理人 李娜 的账号已停用"),
        ({"away_until": "2099-01-01"}, "代理人 李娜 也在离岗"),
        ({"away_from": "2098-01-01", "away_until": "2099-01-01"}, "代理人 李娜"),
    ],
    ids=["disabled", "not staff", "away too", "away later"],
)
def test_a_deputy_who_can_not_stand_in_is_said_beside_the_name(member, row, more, words):
    """If a deputy can't stand in, the page says so beside the deputy's name, so that nobody waits for an answer in
    vain.
    """
    deputy = colleague("li", "李娜", **more)
    type(row).objects.update(owner=colleague("wang", "王敏", away_until="2099-12-05", deputy=deputy))
    staff = member("业务人员")
    words = f"王敏（离岗至 2099-12-05，{words}）"
    assert words in staff.get(page_of(row)).text
    assert words in staff.get(reverse(f"admin:orders_{row._meta.model_name}_changelist")).text
