"""Views of lists are ready-made, saved or shared. They are tabs with counts, and each reader sees the rows of their
own rights.
"""

import datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from orders.lists.list_query import changelist_for, read_query
from orders.lists.registration import address_of_list, admin_of, exported_lists
from orders.models import Order, OrderEvent
from orders.office.exports.lists import ExportedList
from orders.office.saved_views import tabs as view_tabs
from orders.office.saved_views.models import SavedView
from orders.office.saved_views.ready_views import READY
from orders.office.saved_views.service import LONGEST_QUERY, MAX_VIEWS, share_view
from orders.rules.trial_shape import fold
from orders.texts.errors import NotAllowedError
from orders.trials.trial_state_reads import entries_of
from orders.trials.trial_state_writes import keep_shape
from tests import factories as make
from tests.admin.rows import of_order
from tests.admin.walking import unrendered
from tests.office.scheduling import colleague
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db
ORDERS, VIEWS = "/admin/orders/order/", "/admin/orders/savedview/"
BUSINESS, ADMINISTRATOR = "业务人员", "管理员"


@pytest.fixture(autouse=True)
def uncounted(monkeypatch):
    cache.clear()
    monkeypatch.setattr(view_tabs, "SECONDS_OF_ALL", 600)  # so that a busy machine still counts all of them


def save(client, name="我的失败单", query="state__exact=failed", of="orders", **more):
    return client.post(f"{VIEWS}save/{of}/", {"name": name, "query": query, **more}, follow=True)


def lines(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def tabs(answer):
    """Returns {name: address} of the tabs that the page shows."""
    return {one.tab.name: one.tab.address for one in answer.context["views"]["tabs"]}


def keep_shapes():
    """Computes the target state of each trial. Intake does this otherwise, but these tests make their trials without
    it.
    """
    for trial in Order.objects.filter(kind="trial"):
        keep_shape(trial, fold(entries_of([trial.pk])[trial.pk]))


def active(answer):
    return [one.tab.name for one in answer.context["views"]["tabs"] if one.active]


# --- saving


def test_a_view_keeps_filter_search_order_and_columns(staff):
    query = "state__exact=failed&q=100&o=-received&columns=number,kind&view=3"
    answer = save(staff, name="  我的  失败单 ", query=query)
    view = SavedView.objects.get()
    assert (view.owner, view.list_name, view.name, view.role) == (staff.person, "orders", "我的 失败单", None)
    assert view.query == "state__exact=failed&q=100&o=-received"
    assert view.columns == ["number", "kind"]
    assert lines(answer) == ["已保存为视图“我的 失败单”。"]
    assert answer.redirect_chain == [(f"{ORDERS}?{view.query}&columns=number%2Ckind&view={view.pk}", 302)]
    assert active(answer) == ["我的 失败单"]
    assert answer.context["views"]["changed"] is None
    [event] = OrderEvent.objects.filter(order=None)
    assert (event.kind, event.actor) == ("view_saved", f"staff:{staff.person.username}")
    assert event.data["name"] == "我的 失败单"


@pytest.mark.parametrize(
    "name, line",
    [
        ("", "请给视图起个名称。"),
        (" \0 \n", "请给视图起个名称。"),
        ("长" * 5000, "名称超过 40 个字符。"),
        ("https://evil.example", "名称中不能有链接，请去掉“://”。"),
        *((name, "名称含有看不见的字符（例如换行），请重新输入。") for name in ("\u200b", "失\u202e败", "a\x07b")),
    ],
)
def test_a_bad_name_is_refused_with_a_line(member, name, line):
    answer = save(member(BUSINESS), name=name)
    assert lines(answer) == [line]
    assert answer.redirect_chain == [(f"{ORDERS}?state__exact=failed", 302)]
    assert not SavedView.objects.exists()


def test_a_name_with_markup_is_text(staff):
    name = '<b onclick="x">失败</b>'
    text = save(staff, name=name).content.decode()
    assert name not in text
    assert "&lt;b onclick=&quot;x&quot;&gt;失败&lt;/b&gt;" in text
    pages = [VIEWS, f"{VIEWS}{SavedView.objects.get().pk}/change/", "/admin/orders/orderevent/"]
    assert [url for url in pages if name in staff.get(url).content.decode()] == []


@pytest.mark.parametrize(
    "query, line",
    [
        ("colour=red", "此列表没有筛选项 colour。"),
        ("content__startswith=x", "此列表没有筛选项 content__startswith。"),
        ("q=%00", None),
        ("state__exact", None),
        (urlencode({"q": "x" * LONGEST_QUERY}), "筛选条件太长，无法保存。"),
        ("columns=" + "x," * 5000, "saved"),
        ("\0", None),
    ],
)
def test_a_bad_filter_is_refused_with_a_line(member, query, line):
    answer = save(member(BUSINESS), query=query)
    assert answer.status_code in (200, 302, 400)
    if line == "saved":
        assert SavedView.objects.get().columns == []
        return
    assert not SavedView.objects.exists()
    if line:
        assert line in lines(answer)


def test_a_second_view_of_a_name_is_refused(staff):
    save(staff)
    assert lines(save(staff, query="")) == ["您在这个列表已有名为“我的失败单”的视图。"]
    save(staff, of="billing", query="")  # on another list
    make.SavedViewFactory(name="我的失败单")  # of another person
    assert SavedView.objects.count() == 3
    assert SavedView.objects.get(owner=staff.person, list_name="orders").query == "state__exact=failed"


def test_nobody_has_views_without_end(staff):
    for number in range(MAX_VIEWS):
        make.SavedViewFactory(owner=staff.person, name=str(number))
    assert lines(save(staff)) == [f"您在这个列表已有 {MAX_VIEWS} 个视图，请先删除不需要的。"]


def test_who_may_not_see_a_list_saves_no_view_of_it(client):
    user = make.UserFactory()
    client.force_login(user)
    assert client.post(f"{VIEWS}save/orders/", {"name": "x", "query": ""}).status_code == 403
    assert client.get(f"{VIEWS}counts/orders/").status_code == 403
    assert client.get(VIEWS).status_code == 403


def test_a_list_without_views_is_unknown(staff):
    assert staff.post(f"{VIEWS}save/pauses/", {"name": "x"}).status_code == 404
    assert staff.get(f"{VIEWS}counts/pauses/").status_code == 404
    assert staff.get(f"{VIEWS}save/orders/").status_code == 405


@pytest.mark.parametrize("letters", [["BJ"], ["BJ", "GD"]])
def test_a_view_of_every_list_is_a_tab_is_counted_and_keeps_to_what_its_maker_saw(member, letters):
    """A view shows the rows of its maker's attributions, also to a colleague without a limit. So it shows what its
    name promises.
    """
    for of in ("BJ", "GD", "SH"):
        of_order(make.OrderFactory(attribution_id=of))
    for name in exported_lists() if WHOLE else ["orders"]:
        keeps_to_what_its_maker_saw(member, letters, name)
        SavedView.objects.all().delete()


def keeps_to_what_its_maker_saw(member, letters, name):
    maker = member(ADMINISTRATOR, letters=letters)
    answer = save(maker, name="我们的", query="", of=name)
    assert any("北京" in line for line in lines(answer))
    assert "我们的" in tabs(answer)
    view = SavedView.objects.get()
    saved = view.query
    assert maker.get(f"{VIEWS}counts/{name}/").json()[str(view.pk)] != ""
    address = address_of_list(admin_of(name).model)
    own = {row.pk for row in unrendered(maker.person, address).context_data["cl"].result_list}
    SavedView.objects.update(query="", role=None)  # without the attributions in its query, like a view from before
    maker.post(f"{VIEWS}{view.pk}/share/", {"role": Group.objects.get(name=ADMINISTRATOR).pk})
    view.refresh_from_db()
    free = member(ADMINISTRATOR)
    for query in dict.fromkeys([saved, view.query]):
        shown = free.get(f"{address}?{query}")
        assert {row.pk for row in shown.context["cl"].result_list} == own
        assert shown.context["cl"].queryset.count() == len(own)
        assert "北京" in shown.content.decode().split('class="filter-menu filters"')[0].split('class="finder"')[1]
    everything = unrendered(free.person, address)
    assert 0 < len(own) < everything.context_data["cl"].result_count
    other = unrendered(member(ADMINISTRATOR, letters=["SH"]).person, address, dict(parse_qsl(view.query)))
    assert other.context_data["cl"].result_count == 0
    assert any("归属" in str(line) for line in other.messages)


def test_a_view_with_a_province_of_its_own_stays_so(member):
    save(member(BUSINESS, letters=["BJ", "GD"]), query="attribution=GD")
    assert SavedView.objects.get().query == "attribution__letters__exact=GD"


# --- changing


def test_a_changed_filter_can_be_kept(staff):
    view = make.SavedViewFactory(owner=staff.person, name="失败")
    answer = staff.get(ORDERS, {"state__exact": "held", "view": view.pk, "columns": "number,kind"})
    assert active(answer) == ["失败"]
    text = answer.content.decode()
    assert "与视图“失败”相比有未保存的更改。" in text
    whole = answer.context["views"]["whole"]
    answer = staff.post(f"{VIEWS}{view.pk}/update/", {"query": whole}, follow=True)
    assert (make.fresh(view).query, view.columns) == ("state__exact=held", ["number", "kind"])
    assert answer.context["views"]["changed"] is None
    assert OrderEvent.objects.filter(kind="view_changed").count() == 1


def test_page_and_sorting_by_place_change_nothing(staff):
    view = make.SavedViewFactory(owner=staff.person, query="o=-received")
    answer = staff.get(ORDERS, {"o": "-8", "p": "1", "view": view.pk})
    assert answer.context["views"]["changed"] is None


def test_rename_and_delete(staff):
    view = make.SavedViewFactory(owner=staff.person)
    answer = staff.post(f"{VIEWS}{view.pk}/rename/", {"name": "改过"}, follow=True)
    assert make.fresh(view).name == "改过"
    assert lines(answer) == ["已改名为“改过”。"]
    other = make.SavedViewFactory(owner=staff.person, name="已有")
    answer = staff.post(f"{VIEWS}{view.pk}/rename/", {"name": "已有"}, follow=True)
    assert lines(answer) == ["您在这个列表已有名为“已有”的视图。"]
    answer = staff.post(f"{VIEWS}{other.pk}/remove/", follow=True)
    assert lines(answer) == ["视图“已有”已删除。"]
    assert list(SavedView.objects.all()) == [view]
    assert set(OrderEvent.objects.values_list("kind", flat=True)) == {"view_renamed", "view_deleted"}


# --- a view whose parts are gone


def test_a_view_that_names_what_is_gone_opens_with_a_line(staff):
    make.OrderFactory(state="failed")
    view = make.SavedViewFactory(
        owner=staff.person, query="state__exact=failed&gone=1", columns=["number", "gone_column", 5]
    )
    answer = staff.get(ORDERS)
    answer = staff.get(ORDERS + tabs(answer)[view.name], follow=True)
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == 1
    assert lines(answer) == ["以下列已不存在，已忽略：gone_column, 5", "以下条件不是本列表的筛选项，已忽略：gone"]
    assert answer.context["views"]["own"]
    assert answer.context["views"]["changed"].name == view.name  # it can be saved as it opens now
    assert staff.get(f"{VIEWS}counts/orders/").json()[str(view.pk)] == ""
    assert staff.get(f"{VIEWS}{view.pk}/change/").status_code == 200
    assert staff.get(VIEWS).status_code == 200


def test_a_view_of_a_value_that_is_gone_opens_with_a_line(staff):
    make.OrderFactory()
    view = make.SavedViewFactory(owner=staff.person, query="needs=nothing")
    answer = staff.get(ORDERS + tabs(staff.get(ORDERS))[view.name], follow=True)
    assert answer.status_code == 200
    assert lines(answer) == ["筛选条件中有本列表不认识的值，已忽略筛选。"]


def test_a_view_of_a_list_that_is_gone_is_not_shown(staff):
    view = make.SavedViewFactory(owner=staff.person, list_name="nothing")
    assert view.name not in staff.get(VIEWS).content.decode()


@pytest.mark.parametrize("view", ["x" * 10_000, "\0", "-1", "²", "<b>"])
def test_nonsense_for_a_view_is_no_error(member, view):
    assert member(BUSINESS).get(ORDERS, {"view": view}).status_code == 200


@pytest.mark.parametrize(
    "query, title",
    [
        ("attribution__letters__exact=ZZ", "归属"),
        ("attribution__letters__exact=SH", "归属"),
        ("service_type__code__exact=9", "业务类型"),
        ("state__exact=gone", "状态"),
    ],
)
def test_a_view_of_a_choice_that_is_gone_or_a_colleague_s_says_why_it_is_empty(member, query, title):
    staff = member(BUSINESS, letters=["BJ"])
    make.OrderFactory(attribution_id="BJ")
    make.OrderFactory(attribution_id="SH")
    view = make.SavedViewFactory(owner=staff.person, query=query)
    answer = staff.get(ORDERS + tabs(staff.get(ORDERS))[view.name])
    assert answer.context["cl"].result_count == 0
    assert lines(answer) == [f"以下筛选条件的取值不存在，或不在您的归属范围内，因此没有符合的记录：{title}"]


@pytest.mark.parametrize(
    "query",
    [
        "attribution__letters__exact=BJ",
        "attribution__isnull=True",
        "first__exact=1",
        "held_because__exact=",
        "customer=x",
        "incident=1",
        "start=starting",
    ],
)
def test_a_choice_that_is_offered_needs_no_line(member, query):
    staff = member(BUSINESS, letters=["BJ"])
    answer = staff.get(f"{ORDERS}?{query}")
    assert (answer.status_code, lines(answer)) == (200, [])


# --- ready-made views


def test_the_ready_ones_come_first(staff):
    make.SavedViewFactory(owner=staff.person, name="自己的")
    assert list(tabs(staff.get(ORDERS))) == [
        "需要处理",
        "我负责的",
        "等待审批超 3 天",
        "卡在 BPM",
        "今日应开通",
        "未来 7 天到期",
        "自己的",
    ]


def test_the_ready_ones_stand_on_filters_of_their_lists(admin_user):
    for name, views in READY.items():
        for view in views:
            changelist_for(admin_of(name), read_query(admin_of(name), view.query), admin_user)


@pytest.mark.whole
def test_what_the_ready_ones_show(admin_client, monkeypatch):
    today, day = datetime.date(2026, 11, 25), datetime.timedelta(days=1)  # a Wednesday
    monkeypatch.setattr(timezone, "localdate", lambda *_: today)
    now = timezone.now()
    make.OrderFactory(number="held", state="held", held_because="files")
    make.OrderFactory(number="waits", state="awaiting_approval", first=False, state_since=now - 4 * day)
    make.OrderFactory(number="waits not long", state="awaiting_approval", first=False, state_since=now - 2 * day)
    bpm = make.OrderFactory(number="bpm")
    make.DispatchFactory(order=bpm, channel="bpm", state="retrying", next_try_at=now)
    make.OrderFactory(number="starts", biz_start=today)
    make.TrialFactory(number="ends", state="trialing", biz_end=today + 4 * day)
    make.TrialFactory(number="ends on Monday", state="trialing", biz_end=today + 6 * day)
    make.TrialFactory(number="ends later", state="trialing", biz_end=today + 7 * day)
    keep_shapes()
    page = admin_client.get(ORDERS)
    found = {
        name: {row.number for row in admin_client.get(ORDERS + address).context["cl"].result_list}
        for name, address in tabs(page).items()
    }
    assert found == {
        "需要处理": {"held"},
        "我负责的": set(),
        "等待审批超 3 天": {"waits"},
        "卡在 BPM": {"bpm"},
        "今日应开通": {"starts"},
        "未来 7 天到期": {"ends", "ends on Monday"},
    }
    assert admin_client.get(f"{VIEWS}counts/orders/").json()["ending"] == "2"
    opened = admin_client.get(ORDERS + tabs(page)["卡在 BPM"])
    assert active(opened) == ["卡在 BPM"]
    assert active(admin_client.get(ORDERS, {"start": "starting"})) == ["今日应开通"]
    assert active(admin_client.get(ORDERS, {"stuck": "mail", "view": "bpm"})) == []


def test_a_trial_ends_when_its_last_change_says(admin_client, monkeypatch):
    today, day = datetime.date(2026, 11, 25), datetime.timedelta(days=1)
    monkeypatch.setattr(timezone, "localdate", lambda *_: today)

    def changed(number, *ends, own):
        trial = make.TrialFactory(number=number, biz_end=own)
        for place, (end, in_effect) in enumerate(ends, start=1):
            about = {"kind": "change", "state": "applied", "trial": trial, "trial_number": number}
            about |= {"change_number": place, "in_effect": in_effect, "biz_end": end, "given": ["biz_end"]}
            make.OrderFactory(**about)
        return trial

    changed("later", (today + 60 * day, True), own=today)
    changed("sooner", (today, True), own=today + 300 * day)
    changed("back again", (today + 60 * day, True), (today + day, True), own=today)
    changed("not in effect", (today + 60 * day, False), own=today)
    activated = changed("activated", own=today)
    make.TrialClaimFactory(trial=activated)
    changed("over", own=today - day)
    keep_shapes()
    page = admin_client.get(ORDERS + tabs(admin_client.get(ORDERS))["未来 7 天到期"])
    rows = page.context["cl"].result_list
    assert [(row.number, row.shape.ends_on) for row in rows] == [
        ("sooner", today),
        ("not in effect", today),
        ("back again", today + day),
    ]


def test_only_what_starts_or_runs_starts_today(admin_client):
    today, day = timezone.localdate(), datetime.timedelta(days=1)
    for state in Order.State.values:
        held = {"held_because": "files"} if state == "held" else {}
        make.OrderFactory(number=state, state=state, biz_start=today, **held)
    make.OrderFactory(number="tomorrow", biz_start=today + day)
    make.TrialFactory(number="a trial", biz_start=today, state="in_progress")
    page = admin_client.get(ORDERS + tabs(admin_client.get(ORDERS))["今日应开通"])
    started = {"held", "in_progress", "awaiting_approval", "scheduled", "active"}
    assert {row.number for row in page.context["cl"].result_list} == started


def test_stuck_at_bpm_is_what_somebody_must_see_to_or_is_tried_again(admin_client):
    now = timezone.now()
    for number, order, step in [
        ("failed", {"state": "failed"}, {"state": "failed"}),
        ("retrying", {}, {"state": "retrying", "next_try_at": now}),
        ("withdrawn", {"state": "withdrawn"}, {"state": "failed"}),
        ("being undone", {"state": "compensating", "undo_since": now}, {"state": "failed"}),
        ("undoing failed", {"state": "compensating", "undo_since": now}, {"state": "failed", "undo": True}),
        ("a repeat", {}, {"state": "failed", "repeat": True}),
    ]:
        make.BpmDispatchFactory(order=make.OrderFactory(number=number, **order), frozen_at=now, **step)
    page = admin_client.get(ORDERS + tabs(admin_client.get(ORDERS))["卡在 BPM"])
    assert {row.number for row in page.context["cl"].result_list} == {"failed", "retrying", "undoing failed"}


def test_what_waits_longest_comes_first_and_says_since_when(admin_client):
    day, now = datetime.timedelta(days=1), timezone.now()
    for days in (4, 9, 6):
        waiting = {"state": "awaiting_approval", "first": False, "state_since": now - days * day}
        make.OrderFactory(number=f"waits {days} days", **waiting)
    page = admin_client.get(ORDERS + tabs(admin_client.get(ORDERS))["等待审批超 3 天"])
    assert [row.number for row in page.context["cl"].result_list] == ["waits 9 days", "waits 6 days", "waits 4 days"]
    assert "since" in page.context["cl"].list_display


# --- shared with a role


def test_a_shared_view_is_a_tab_for_everybody_of_the_role(member):
    owner = colleague(display_name="王五")
    view = make.SavedViewFactory(owner=owner, name="组里的", role=Group.objects.get(name=BUSINESS))
    assert "组里的" not in tabs(member("工程师").get(ORDERS))
    staff = member(BUSINESS)
    answer = staff.get(ORDERS)
    assert "组里的" in tabs(answer)
    assert "由 王五 共享" in answer.content.decode()
    opened = staff.get(ORDERS + tabs(answer)["组里的"])
    assert active(opened) == ["组里的"]
    changed = staff.get(ORDERS, {"state__exact": "held", "view": view.pk})
    assert f"{VIEWS}{view.pk}/update/" not in changed.content.decode()  # only the owner of the view changes it
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


# --- views outside of their list


def test_a_saved_view_exports_what_it_shows(admin_user, staff):
    """A view gives an export its list, query and columns. Scheduled exports use a view in the same way."""
    rows = [make.OrderFactory(number=str(n), biz_start=datetime.date(2026, 11, n + 1)) for n in range(3)]
    save(staff, query="o=start_day&columns=number,biz_end&kind__exact=activation")
    view = SavedView.objects.get()
    table = ExportedList(view.list_name, view.query, staff.person).table(view.columns, personal=False, by="staff:x")
    assert [row[0] for row in table.rows] == [row.number for row in rows]


def test_a_view_with_a_person_s_data_is_masked_where_it_is_told(staff):
    save(staff, name="13712345678 的单", query="q=13712345678")
    assert "13712345678" not in staff.get("/admin/orders/orderevent/").content.decode()


def test_a_deleted_role_leaves_the_view_to_its_owner():
    role = Group.objects.create(name="x")
    view = make.SavedViewFactory(role=role)
    role.delete()
    assert make.fresh(view).role is None


def test_the_menu_leads_to_my_views(member):
    assert reverse("admin:orders_savedview_changelist") in member(BUSINESS).get("/admin/").content.decode()
