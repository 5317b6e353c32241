"""Live pages: an open page asks its own address whether anything changed, and gets nothing (204) or its content.

A poll is a GET with the header `Desk-Poll` and `seen=VERSION` in the address. The version is over the figures of what
the page shows, the person with their rights and limits, and the address. So a lost right or limit is another version.
Whoever can name the version of a page was shown it, since nobody else can make one.

A poll is no use of the session (project/accounts/session_expiry.py) and never opens people's data: an address that
would shows them masked. project/static/desk/moving.js asks; docs/architecture.md says how another page moves.
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

POLL_HEADER = "Desk-Poll"
SEEN, OPENED = "seen", "opened"  # the version that the page shows; what it knew when it was opened
NOT_OF_THE_PAGE = (OPENED, "personal", "watch")
FRAGMENT = "admin/moving.html"
QUICK, CALM = 3, 15  # seconds until the next poll: while something is under way, and else
GROWS_OLD = 900  # seconds: then a page is made anew, since it says how long ago things were and what is late by now
VIEW_ORDERS = "orders.view_order"


@dataclass(frozen=True)
class Moving:
    """The state of an open page. `needing`: how many orders need the person."""

    version: str
    pace: int
    needing: int
    most: int = MAX_NEEDING

    @property
    def headers(self) -> dict[str, str]:
        return {"Desk-Version": self.version, "Desk-Pace": str(self.pace), "Desk-Needing": str(self.needing)}


def is_poll(request: HttpRequest) -> bool:
    return request.method == "GET" and POLL_HEADER in request.headers


def is_partial(request: HttpRequest) -> bool:
    """Returns True if the answer is for an open page, which keeps its head and messages."""
    return getattr(request, "moving_seen", None) is not None


def answer_live_page(
    request: HttpRequest,
    read: Callable[[], Fingerprint],
    show: Callable[[], HttpResponseBase],
    *,
    whole_desk: bool = True,
) -> HttpResponseBase:
    """The page of `show`, which tells its version; to a poll 204 if it is the one that was seen, else the content.

    `read` gives the page's marks. It is asked before the page, so that a change between them is seen at the next poll.
    `whole_desk`: the page shows what the desk does, and not only its own.
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
    """Strips a poll's own parameters from the address, so that the page is the one that was opened, without what opens
    people's data."""
    query = request.GET.copy()
    request.moving_seen, request.moving_opened = None, ""
    if not is_poll(request) or SEEN not in query:
        return
    *filtered, request.moving_seen = query.getlist(SEEN)  # a filter may have the name, too
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
    shift = zlib.crc32(f"{user.pk} {request.path}".encode()) % GROWS_OLD  # not all pages at the same moment
    parts = (
        *(request.path, page, user.pk, rights, letters and sorted(letters)),
        *(int(now.timestamp() + shift) // GROWS_OLD, timezone.localdate(now), figures),
    )
    return Signer(salt="desk.moving").signature(repr(parts))
