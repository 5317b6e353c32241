"""The page of test calls: a button runs the probes of `status --probe` (contract section 5)."""

import datetime

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.probes import FAILED, FOLDER, Probe, probe_together
from integrations.worker.lease_lock import Lease
from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import add_event
from orders.lists.scope import is_unlimited
from orders.mails.notices import send_test_mail
from orders.texts.errors import OrderError
from orders.texts.incident_texts import cause_of

PERMISSION = "integrations.probe_partners"
LONGEST, GRACE = 15.0, 2.0  # seconds: maximum wait for all answers; time in addition to PARTNER_TIMEOUT_SECONDS
COOL_DOWN = 30.0  # minimum seconds between two runs
NAMES = {
    "database": gettext_lazy("Database"),
    "bigdata": gettext_lazy("Big data: a look-up"),
    "bpm": gettext_lazy("BPM: whether it answers"),
    "mail": gettext_lazy("Mail server: whether it greets us"),
    "disk": gettext_lazy("Files: whether they can be written"),
    "clock": gettext_lazy("Clocks"),
}
OWN_CAUSES = {FAILED: gettext_lazy("It does not answer."), FOLDER: gettext_lazy("A folder can't be written.")}
ON_THIS_MACHINE = {"disk", "clock"}  # their errors contain settings and seconds, never an address


def may_probe(user) -> bool:
    return user.has_perm(PERMISSION) and is_unlimited(user)


def probes_page(request: HttpRequest, site) -> HttpResponse:
    """GET lists the test calls. POST makes the test calls, and shows a row for each answer. POST with `mail` sends a
    test mail instead. Each of the two is allowed at most once in COOL_DOWN seconds, for all users
    together.
    """
    if not may_probe(request.user):
        raise PermissionDenied
    if request.method == "POST" and "mail" in request.POST:
        _send_test_mail(request)
        return redirect("admin:probes")
    found = _probe(request) if request.method == "POST" else []
    context = {"title": _("Test calls"), "names": NAMES.values(), "rows": [_row(one) for one in found]}
    return TemplateResponse(request, "admin/probes.html", {**site.each_context(request), **context})


def _probe(request: HttpRequest) -> list[Probe]:
    """Records an event and makes the test calls. Returns their results.

    A lease that is longer than a run prevents simultaneous runs. If the lease is taken, adds a message and returns [].
    """
    timeout = float(settings.PARTNER_TIMEOUT_SECONDS) + GRACE
    wait = max(COOL_DOWN, timeout)
    if not Lease("probes", held_for=datetime.timedelta(seconds=wait)).acquire():
        words = _("Test calls were made a moment ago. Partners are asked once in %(seconds)d seconds; try again then.")
        messages.warning(request, words % {"seconds": wait})
        return []
    add_event(None, "partners_probed", by=staff_actor(request.user), now=timezone.now())
    return probe_together(within=min(timeout, LONGEST))


def _send_test_mail(request: HttpRequest) -> None:
    if not Lease("test_mail", held_for=datetime.timedelta(seconds=COOL_DOWN)).acquire():
        words = _("A test mail was sent a moment ago. One is sent once in %(seconds)d seconds; try again then.")
        messages.warning(request, words % {"seconds": COOL_DOWN})
        return
    by, path = staff_actor(request.user), reverse("admin:probes")
    try:
        [row] = send_test_mail(request.user, by=by, path=path, now=timezone.now())
    except OrderError as error:
        messages.warning(request, error.words())
        return
    words = _("A test mail to your own address is on its way.")
    page = reverse("admin:notifications_mail_change", args=[row.pk])
    messages.success(request, format_html('{} <a href="{}">{}</a>', words, page, _("See whether it went out")))


def _row(probe: Probe) -> dict:
    """Returns the row of a probe. For partners the text of the error is left out, because it may contain our
    addresses."""
    row = {"what": NAMES[probe.what], "seconds": probe.seconds, "ok": not probe.code}
    if probe.code:
        cause = cause_of(probe.code)
        row["why"] = OWN_CAUSES.get(probe.code, cause.what)
        row["detail"] = probe.trouble if probe.what in ON_THIS_MACHINE else probe.code
    return row
