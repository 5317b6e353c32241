"""Views that are shared with a role, and views of colleagues that are not."""

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.utils import timezone

from orders.errors import NotAllowedError
from orders.models import OrderEvent
from orders.office.views.models import SavedView
from orders.office.views.service import share_view
from tests import factories as make
from tests.office.test_views import ADMINISTRATOR, BUSINESS, ORDERS, VIEWS, active, colleague, tabs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uncounted():
    cache.clear()


def test_a_shared_view_is_a_tab_for_everybody_of_the_role(member):
    owner = colleague()
    view = make.SavedViewFactory(owner=owner, name="组里的", role=Group.objects.get(name=BUSINESS))
    assert "组里的" not in tabs(member("工程师").get(ORDERS))
    staff = member(BUSINESS)
    answer = staff.get(ORDERS)
    assert "组里的" in tabs(answer)
    assert "由 王五 共享" in answer.content.decode()
    opened = staff.get(ORDERS + tabs(answer)["组里的"])
    assert active(opened) == ["组里的"]
    changed = staff.get(ORDERS, {"state__exact": "held", "view": view.pk})
    assert f"{VIEWS}{view.pk}/update/" not in changed.content.decode()  # only its owner changes it
    assert staff.get(f"{VIEWS}{view.pk}/change/").status_code == 200


def test_readers_see_it_with_their_own_scope(member):
    failed = [make.OrderFactory(attribution_id=letters, state="failed") for letters in ("BJ", "SH")]
    view = make.SavedViewFactory(owner=colleague(), role=Group.objects.get(name=BUSINESS))
    staff = member(BUSINESS, letters=["BJ"])
    rows = staff.get(ORDERS, {"state__exact": "failed", "view": view.pk}).context["cl"].result_list
    assert list(rows) == failed[:1]
    assert staff.get(f"{VIEWS}counts/orders/").json()[str(view.pk)] == "1"


def test_sharing_is_for_the_owner_s_own_roles(staff):
    view = make.SavedViewFactory(owner=staff.person)
    share = f"{VIEWS}{view.pk}/share/"
    own, other = Group.objects.get(name=BUSINESS), Group.objects.get(name=ADMINISTRATOR)
    assert staff.post(share, {"role": other.pk}).status_code == 404
    for wrong in ("x", "9" * 30, "0", "\0"):
        assert staff.post(share, {"role": wrong}).status_code == 404
    with pytest.raises(NotAllowedError, match="only with a role that you have"):
        share_view(view=view, role=other, by="staff:x", now=timezone.now())
    assert staff.post(share, {"role": own.pk}).status_code == 302
    assert SavedView.objects.get().role == own
    assert staff.post(share, {"role": ""}).status_code == 302
    assert SavedView.objects.get().role is None
    kinds = OrderEvent.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["view_shared", "view_unshared"]


def test_who_may_not_share_keeps_views_for_themselves(member):
    staff = member("工程师")
    view = make.SavedViewFactory(owner=staff.person)
    page = staff.get(f"{VIEWS}{view.pk}/change/").content.decode()
    assert f"{VIEWS}{view.pk}/share/" not in page
    assert f"{VIEWS}{view.pk}/rename/" in page
    role = Group.objects.get(name="工程师")
    assert staff.post(f"{VIEWS}{view.pk}/share/", {"role": role.pk}).status_code == 403


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("act", ["update", "rename", "share", "remove"])
def test_nobody_touches_a_colleague_s_view(act, shared, staff):
    view = make.SavedViewFactory(owner=colleague(), role=Group.objects.get(name=BUSINESS) if shared else None)
    answer = staff.post(f"{VIEWS}{view.pk}/{act}/", {"name": "x", "query": "", "role": ""})
    assert answer.status_code == 404
    assert (SavedView.objects.get().name, SavedView.objects.get().query) == (view.name, view.query)


def test_an_id_that_was_guessed_tells_nothing(staff):
    view = make.SavedViewFactory(owner=colleague(), name="秘密")
    for pk in (view.pk, 999_999):
        answer = staff.get(f"{VIEWS}{pk}/change/")
        assert "秘密" not in answer.content.decode()
        assert answer.status_code == 404
    assert "秘密" not in staff.get(VIEWS).content.decode()
    answer = staff.get(ORDERS, {"view": view.pk})
    assert (active(answer), answer.context["views"]["changed"]) == ([], None)
