"""The page of partners' calls. It shows the rules and status of each call, and the latest doubtful answers (contract
7.3)."""

from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.onboarding.call_status import ATTEMPTS_SEARCHED, call_statuses, doubtful_answers
from integrations.partners.profile import NAMES
from integrations.partners.profile_words import DEFAULT, ShownCall, show_call, show_callback, without_values
from orders.lists.pauses_in_force import may_pause
from orders.lists.personal_data import mask_text_or_json
from orders.texts.incident_texts import cause_of

SHOWN = 20  # doubtful answers
LONGEST = 300  # characters of an answer
CALLBACK = "bpm.callback"
CALLS: Mapping[str, str | Promise] = {
    "bigdata.post": gettext_lazy("Make and cancel billing records"),
    "bigdata.delete": gettext_lazy("Delete billing records"),
    "bigdata.query": gettext_lazy("Look billing records up"),
    "bigdata.traffic": gettext_lazy("Ask for a trial's traffic"),
    "bpm.start": gettext_lazy("Start a BPM process"),
    CALLBACK: gettext_lazy("BPM's callbacks"),
}
STEP_KINDS = {
    "create": gettext_lazy("making"),
    "cancel": gettext_lazy("cancelling at once"),
    "start": gettext_lazy("starting"),
}
MEANINGS = {
    "refused": gettext_lazy("refusal"),
    "not_understood": gettext_lazy("not understood"),
}


def may_see_partners(user) -> bool:
    """Returns True if the user may pause partners. Such users have no limit. This is necessary, because the page shows
    orders of all attributions."""
    return may_pause(user)


def partners_page(request: HttpRequest, site) -> HttpResponse:
    if not may_see_partners(request.user):
        raise PermissionDenied
    calls = [_call(show_call(settings.PARTNERS, name)) for name in NAMES]
    rows = doubtful_answers().select_related("attempt__dispatch__order").defer("raw", "attempt__dispatch__payload")
    context = {
        "title": _("Partner connections"),
        "file": settings.PARTNERS_FILE,
        "rows": [(CALLS[row.name], row, [(STEP_KINDS[kind], proof) for kind, proof in row.proofs.items()], _why(row))
                 for row in call_statuses()],
        "calls": [*calls, _call(show_callback(settings.PARTNERS))],
        "answers": [_answer(row) for row in rows[:SHOWN]],
        "looked_at": ATTEMPTS_SEARCHED,
    }  # fmt: skip
    return TemplateResponse(request, "admin/partners.html", {**site.each_context(request), **context})


def _why(row) -> str | Promise:
    return cause_of(row.held.code).what if row.held else ""


def _call(shown: ShownCall) -> dict:
    rules = [(key, value, "" if source == DEFAULT else source) for key, value, source in shown.rules]
    return {"what": CALLS[shown.name], "shown": shown, "rules": rules}


def _answer(row) -> dict:
    """Returns a doubtful answer, with links to its order, attempt and incident. Its text is shortened and masked."""
    order, incident = row.attempt.dispatch.order, row.incident
    return {
        "at": row.at,
        "what": CALLS[row.call],
        "number": order.number,
        "order": reverse("admin:orders_order_change", args=[order.pk]),
        "attempt": reverse("admin:orders_attempt_change", args=[row.attempt_id]),
        "incident": reverse("admin:orders_incident_change", args=[incident]) if incident else "",
        "incident_id": incident,
        "status": row.http_status,
        "read": MEANINGS.get(row.read, row.read),
        "said": mask_text_or_json(without_values(row.attempt.answer))[:LONGEST],
    }
