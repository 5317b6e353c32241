"""Live pages: an open page polls its own URL for changes. The response is 204 if nothing has changed, otherwise the new
content.

A poll is a GET with the header `Desk-Poll` and `seen=VERSION` in the query string. The version is a signature of the
page's fingerprint, the user, their permissions and attributions, and the URL. A lost permission changes the version.
Versions are signed, so a client with a valid version was shown the page.

A poll does not extend the session (project/accounts/session_expiry.py) and never shows personal data unmasked, not even
with `personal=1`. project/static/desk/moving.js sends the polls; docs/architecture.md describes how to add a live page.
"""

import datetime
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from orders.lists.page_fingerprint import MAX_NEEDING, Fingerprint, count_needing, rights_of
from orders.lists.scope import attributions_of
from orders.mails.inbox import unread_words

POLL_HEADER = "Desk-Poll"
SEEN, OPENED = "seen", "opened"  # the version of the shown page; the page's newest event when it was opened
NOT_OF_THE_PAGE = (OPENED, "personal", "watch")
FRAGMENT = "admin/moving.html"
QUICK, CALM = 3, 15  # seconds until the next poll, while something is in progress and otherwise
GROWS_OLD = 900  # seconds; then pages are rendered again, because they show relative times
VIEW_ORDERS = "orders.view_order"


@dataclass(frozen=True)
class Moving:
    """The state of an open page. `needing`: the number of orders that need the user's action. `unread`: the number of
    unread messages."""

    version: str
    pace: int
    needing: int
    unread: str
    most: int = MAX_NEEDING

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Desk-Version": self.version,
            "Desk-Pace": str(self.pace),
            "Desk-Needing": str(self.needing),
            "Desk-Unread": self.unread,
        }


def is_poll(request: HttpRequest) -> bool:
    return request.method == "GET" and POLL_HEADER in request.headers


def is_partial(request: HttpRequest) -> bool:
    """Returns True if the response replaces only the content of an open page, not its header and messages."""
    return getattr(request, "moving_seen", None) is not None


def answer_live_page(
    request: HttpRequest,
    read: Callable[[], Fingerprint],
    show: Callable[[], HttpResponseBase],
    *,
    whole_desk: bool = True,
) -> HttpResponseBase:
    """Returns the page of `show` with its version. Returns 204 to a poll with the current version.

    `read` returns the page's fingerprint. It is called before `show`, so the next poll detects changes in between.
    `whole_desk`: the version includes the figures of the whole desk in addition to the page's own figures.
    """
    if request.method != "GET":
        return show()
    now = timezone.now()
    _strip_poll_params(request)
    poll = is_partial(request)
    marks, rights = read(), rights_of(request.user, at_once=poll)
    sees_orders = request.user.is_superuser or VIEW_ORDERS in rights
    version = _version(request, rights, (marks.desk if whole_desk else (), marks.own), now)
    same = request.moving_seen == version
    letters = attributions_of(request.user)
    moving = Moving(
        version,
        QUICK if marks.busy or (poll and not same) else CALM,
        count_needing(request.user, letters, marks.desk, now) if sees_orders else 0,
        unread_words(request.user, now=now) if poll else "",
    )
    if same:
        return HttpResponse(status=204, headers=moving.headers)
    response = show()
    if (context := getattr(response, "context_data", None)) is not None and response.status_code == 200:
        context["moving"] = moving
        if poll:
            context["moving_base"] = FRAGMENT
            for name, value in moving.headers.items():
                response[name] = value
    return response


def _strip_poll_params(request: HttpRequest) -> None:
    """Removes the parameters of the poll and `personal` from the request. So the page is rendered as it was opened, but
    with personal data masked."""
    query = request.GET.copy()
    request.moving_seen, request.moving_opened = None, ""
    if not is_poll(request) or SEEN not in query:
        return
    *filtered, request.moving_seen = query.getlist(SEEN)  # a filter may have the same name
    query.setlist(SEEN, filtered)
    request.moving_opened = query.get(OPENED, "")
    for name in NOT_OF_THE_PAGE:
        query.pop(name, None)
    if not filtered:
        del query[SEEN]
    request.GET = query
    request.META["QUERY_STRING"] = query.urlencode()


def _version(request: HttpRequest, rights: list[str], figures: tuple, now: datetime.datetime) -> str:
    user, letters = request.user, attributions_of(request.user)
    page = sorted((name, values) for name, values in request.GET.lists() if name not in NOT_OF_THE_PAGE)
    shift = zlib.crc32(f"{user.pk} {request.path}".encode()) % GROWS_OLD  # not all pages at the same time
    parts = (
        *(request.path, page, user.pk, rights, letters and sorted(letters)),
        *(int(now.timestamp() + shift) // GROWS_OLD, timezone.localdate(now), figures),
    )
    return Signer(salt="desk.moving").signature(repr(parts))
