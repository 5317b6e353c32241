"""Lists every address of the staff's site, and the kinds of people who open them."""

import re
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import RequestFactory
from django.urls import resolve, reverse

from orders.lists.registration import LISTS
from project.models import User
from tests import factories as make
from tests.admin.rows import of_none, of_order
from tests.sampling import WHOLE

ROLES = {"B": "业务人员", "E": "工程师", "A": "审计员", "M": "管理员", "P": "审批主管", "o": "管理员"}
ROLES |= {letter.lower(): role for letter, role in ROLES.items()}
LIMITS = dict.fromkeys("beamp", ["BJ"]) | {"o": ["SH"]}  # the rows of the test belong to BJ
PEOPLE = [*ROLES, "S", "N", "X"]  # the letters of docs/security.md
PAGES = ["changelist", "change", "history", "add", "delete"]


def sign_in(client, letter):
    """Returns the client of one of PEOPLE."""
    if letter == "X":
        return client
    user = User.objects.create_superuser("超管") if letter == "S" else make.UserFactory()
    if letter in ROLES:
        user.groups.set(Group.objects.filter(name=ROLES[letter]))
    if letter in LIMITS:
        make.limit_to(user, LIMITS[letter])
    client.force_login(user)
    return client


def colleague(username, display_name="", role="业务人员", **more):
    """Makes another member of staff in a role, with a mail address."""
    user = make.UserFactory(**{"username": username, "display_name": display_name, "email": f"{username}@x.cn"} | more)
    user.groups.set(Group.objects.filter(name=role))
    return user


def is_in(client) -> bool:
    """Returns True if the person is logged in. It opens a page that all staff have and that is rendered faster than
    lists and the dashboard.
    """
    return client.get(reverse("admin:sessions")).status_code == 200


def page_of(row) -> str:
    """Returns the address of a row's page."""
    return reverse(f"admin:{name_of(row)}_change", args=[row.pk])


def text_of(client, url) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.text


def said(answer) -> str:
    """Returns the messages on a page."""
    return " ".join(str(message) for message in answer.context["messages"])


def words_of(answer):
    """Returns a page's text without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@dataclass(frozen=True)
class Answer:
    """A response, with a word that says whether the person was let in."""

    status: int
    location: str
    page: str = ""

    @property
    def word(self) -> str:
        if self.status == 302:
            return "login" if self.location.startswith(reverse("admin:login")) else "away"
        return {200: "in", 403: "refused", 404: "unknown", 405: "method"}.get(self.status, str(self.status))


def ask(client, url, data=None):
    """Returns the answer to a GET, or to a POST of `data`. What the request wrote is rolled back."""
    with transaction.atomic():
        response = client.get(url) if data is None else client.post(url, data)
        transaction.set_rollback(True)
    page = response.content.decode() if "html" in response.headers.get("Content-Type", "") else ""
    return Answer(response.status_code, response.headers.get("Location", ""), page)


def rows():
    """Returns rows for every page."""
    return {**of_order(make.OrderFactory(attribution_id="BJ")), **of_none()}


def standard(found):
    """Returns the five addresses that Django makes for each model, by (model, page)."""
    return {
        (name, page): reverse(f"admin:{name}_{page}", args=[row.pk] if page in {"change", "history", "delete"} else [])
        for name, row in found.items()
        for page in PAGES
    }


class Messages(list):
    """Collects a view's messages to the person, because the request passes no middleware that stores them."""

    def add(self, level, message, extra_tags=""):
        self.append(message)


def unrendered(user, url, query=None):
    """Returns the response of an address's view before its template is rendered, because rendering takes most of a
    page's time.
    """
    request = RequestFactory().get(url, query)
    request.user, request._messages = user, Messages()
    view, *given = resolve(request.path)
    answer = view(request, *given[0], **given[1])
    answer.messages = request._messages
    return answer


def desk_of(user):
    """Returns the dashboard's data from the context of its page, for a person."""
    return unrendered(user, reverse("admin:index")).context_data["desk"]


def in_turn(letter, place, size):
    """Returns whether this person opens the page at this place. Each person opens one of `size` pages, and the next
    person opens the next one. With WHOLE everybody opens all.
    """
    return WHOLE or (place + PEOPLE.index(letter)) % size == 0


def one_page_a_model(asked, letter):
    """Chooses one page of every second model. Each person gets other models and pages."""
    place = {name: place for place, name in enumerate(dict.fromkeys(name for name, _ in asked))}
    return {
        (name, page): url
        for (name, page), url in asked.items()
        if in_turn(letter, place[name] + PAGES.index(page), 2 * len(PAGES))
    }


def permitted(own, request, row):
    """Returns what the admin's own methods permit for a row: `({page: word}, (add, change, delete))`. The words are
    those of `Answer`. The other three are the rights to write.
    """
    if not admin.site.has_permission(request):
        return dict.fromkeys(PAGES, "login"), (False, False, False)
    shown = own.get_object(request, str(row.pk))
    sees, adds = own.has_view_or_change_permission, own.has_add_permission(request)
    reads, deletes = sees(request, shown), own.has_delete_permission(request, shown)
    may = {"changelist": sees(request), "change": reads, "history": reads, "add": adds, "delete": deletes}
    words = {
        page: "refused" if not may[page] else "in" if shown or page in {"changelist", "add"} else "unknown"
        for page in PAGES
    }
    return words, (adds, bool(shown and own.has_change_permission(request, shown)), bool(shown and deletes))


def registered():
    """Returns the names of all addresses of the site. An address without a name is given by its pattern."""

    def inside(patterns):
        for one in patterns:
            if hasattr(one, "url_patterns"):
                yield from inside(one.url_patterns)
            else:
                yield one.name or str(one.pattern)

    return set(inside(admin.site.urls[0]))


def name_of(model):
    """Returns a model's name as in `orders_order`: its addresses and its row in docs/security.md begin with it."""
    return f"{model._meta.app_label}_{model._meta.model_name}"


def models():
    return set(map(name_of, LISTS))


def content_type_of(row):
    return ContentType.objects.get_for_model(row, for_concrete_model=False).pk
