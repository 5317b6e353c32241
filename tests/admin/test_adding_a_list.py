"""Adding a list is one `register_list`: menu, roles, scope, columns, chips, views and exports follow from it."""

import importlib
import types

import openpyxl
import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, models
from django.urls import path, reverse

from orders.lists.chips import TONES, chip_column, parts_of
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import ENGINE_ROOM, LISTS, Role, Section, exported_lists, register_list
from orders.lists.scope import Scoped
from orders.models import TrialShape
from project import urls
from tests import factories as make
from tests.admin.walking import PAGES, PEOPLE, permitted, sign_in, unrendered

pytestmark = pytest.mark.django_db


class Standing(models.TextChoices):
    RUNNING = "shape_running", "试用中"
    CLOSED = "shape_closed", "已结束"


class ShapeAdmin(Scoped, ReadOnlyAdmin):
    attribution_path = "trial__attribution"
    list_display = ["trial", "standing"]
    export_fields = ["service"]
    column_meanings = {"trial": "试用单号", "standing": "试用进行到哪一步", "service": "试用的业务类型"}
    list_filter = ["closed"]
    list_select_related = ["trial"]
    ordering = ["-pk"]

    standing = chip_column("进展", lambda obj: parts_of(Standing.CLOSED if obj.closed else Standing.RUNNING))


@pytest.fixture(autouse=True)
def shapes(settings):
    """Registers a list of trials' shapes (target states) as an admin module does. The desk has no such list."""
    register_list(
        TrialShape,
        menu=(Section.MONEY, 35),
        empty="还没有试用。",
        readers=ENGINE_ROOM,
        name="shapes",
        tones={"green": [Standing.RUNNING], "grey": [Standing.CLOSED]},
    )(ShapeAdmin)
    with_it = types.ModuleType("addresses")
    with_it.urlpatterns = [path("admin/", admin.site.urls), *urls.urlpatterns]
    settings.ROOT_URLCONF = with_it
    importlib.import_module("project.migrations.0002_squashed_0026_notices_gone").make_roles(
        apps, types.SimpleNamespace(connection=connection)
    )
    yield
    admin.site.unregister(TrialShape)
    del LISTS[TrialShape], TONES[Standing.RUNNING], TONES[Standing.CLOSED]
    exported_lists.cache_clear()


def listed(staff, **query):
    answer = staff.get(reverse("admin:orders_trialshape_changelist"), query)
    return answer.context["cl"].result_list, answer.content.decode()


def test_it_stands_in_the_menu_at_its_place_for_its_readers_whose_roles_have_the_right(member):
    for role in Role:
        sections = unrendered(member(role).person, reverse("admin:index")).context_data["app_list"]
        money = next(one["models"] for one in sections if one["app_label"] == Section.MONEY)
        shown = ["Difference", *(["TrialShape"] if role in ENGINE_ROOM else []), "TrialUsage"]
        assert [one["object_name"] for one in money][1:] == shown
    able = Group.objects.filter(permissions__codename="view_trialshape").values_list("name", flat=True)
    assert set(able) == ENGINE_ROOM


def test_empty_it_says_when_its_first_row_comes_and_it_keeps_to_the_scope(member):
    assert "还没有试用。" in listed(member("工程师"))[1]
    other = make.TrialShapeFactory(trial__attribution_id="SH")
    assert "您的归属范围内没有记录" in listed(member("工程师", letters=["BJ"]))[1]
    own = make.TrialShapeFactory(trial__attribution_id="BJ")
    assert set(listed(member("工程师"))[0]) == {own, other}
    staff = member("工程师", letters=["BJ"])
    assert listed(staff)[0] == [own]
    assert staff.get(reverse("admin:orders_trialshape_change", args=[other.pk])).status_code == 404


def test_it_has_chips_filters_chosen_columns_and_views(member):
    make.TrialShapeFactory(service="vod")
    make.TrialShapeFactory(closed=True)
    staff = member("管理员")
    assert 'chip-grey">已结束' in listed(staff, closed__exact="1")[1]
    rows, page = listed(staff, columns="trial,service", closed__exact="0")
    assert len(rows) == 1
    assert "vod" in page
    assert "试用中" not in page
    form = {"name": "运行中", "query": "closed__exact=0&columns=trial,service"}
    answer = staff.post(reverse("admin:orders_savedview_save", args=["shapes"]), form, follow=True)
    assert answer.context["cl"].result_list == rows
    assert "运行中" in answer.content.decode()


def test_it_is_exported(member, tmp_path):
    make.TrialShapeFactory(service="vod")
    assert member("工程师").get(reverse("admin:orders_export_new", args=["shapes"])).status_code == 200
    call_command("export", "shapes", str(tmp_path / "shapes.csv"), query="columns=standing,service")
    assert "试用中,vod" in (tmp_path / "shapes.csv").read_text(encoding="utf-8-sig")
    call_command("export", "shapes", str(tmp_path / "shapes.xlsx"), query="columns=standing,service")
    notes = openpyxl.load_workbook(tmp_path / "shapes.xlsx").worksheets[1].iter_rows(values_only=True)
    assert ("进展", "试用进行到哪一步") in [row[:2] for row in notes]


@pytest.mark.parametrize("letter", PEOPLE)
def test_it_is_walked(client, rf, letter):
    row, request = make.TrialShapeFactory(trial__attribution_id="BJ"), rf.get("/")
    sign_in(client, letter)
    request.user = get_user(client)
    readers, own = "EAMeamoS", admin.site.get_model_admin(TrialShape)
    words, _may = permitted(own, request, row)
    for page in PAGES:
        if letter == "X":
            wanted = "login"
        elif letter not in readers or page in {"add", "delete"}:
            wanted = "refused"
        else:
            wanted = "unknown" if letter == "o" and page != "changelist" else "in"
        assert words[page] == wanted, page
