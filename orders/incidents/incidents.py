"""Opens and closes incidents. Each cause has one incident, which lists all orders stopped by that cause.

Each attribution gets one mail when the incident stops its first order, and one mail when the incident ends. Each mail
is about one of these orders. There is never one mail per failure.
"""

import datetime
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from notifications.models import Mail
from orders.history.order_locks_and_events import add_event
from orders.incidents.incident_codes import (
    DEPENDENCY_GONE,
    MOVE_FAILED,
    NEVER_END_BY_THEMSELVES,
    ORDER,
    PARTNERS_OWN,
)
from orders.mails.mail_creation import queue_mail
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.models.querysets import STOPPED_BY
from orders.outbox.outcome import DOUBTS
from orders.rules.steps import STEPS, steps_of_call
from orders.texts.error_messages import say_why_in_english
from orders.texts.incident_texts import OTHERS

ENDED_STEPS = [Dispatch.State.DONE, Dispatch.State.CLOSED, Dispatch.State.UNDONE]
# Without GIVEN_UP: the outcome of such a step is verified first.
LOCKS = 0x1D5C  # first key of the advisory locks (arbitrary)
SIMILAR_WITHIN = datetime.timedelta(minutes=1)
LONGEST_WAIT = "5s"
"""Lock timeout for an incident's lock and all later locks of the transaction."""
MAX_GROUPS = 20  # incidents of one code; further refusals share one incident with the words OTHERS
CODES_WITH_PARTNERS_WORDS = (
    "code_",
    "http_",
    "smtp_",
    "provider_",
)  # codes from a partner or a mail server, with its own message text


@transaction.atomic
def open_incident(
    order: Order,
    *,
    partner: str,
    step: str,
    code: str,
    now: datetime.datetime,
    detail: str | None = None,
    mail: bool = True,
    params: dict | None = None,
    beside: Order | None = None,
) -> Incident:
    """Opens or updates the incident of this cause, which stops the order. Each attribution gets one mail, for its first
    order.

    For doubts about answers (contract 7.2), all steps of one call share an incident, and each order is listed once.
    `beside`: a trial that the incident lists too, since the order is stopped on its records (contract 3.9, 14).
    `detail` is logged. If pages have a message for the detail (`error_messages.py`), `params` hold its content as a
    code with parameters. `params` are the default of `detail`. With `mail=False`, neither start nor end is mailed until
    the cause is reported again with mail. Held orders use it since they have their own mail, and so do comparisons
    started by staff. A sleeping incident is updated too. Failed mails cause no mail. Raises OperationalError if the
    lock is not free within LONGEST_WAIT.
    """
    code = code[:32]
    lock_incidents([(partner, code)])
    detail = say_why_in_english(params) if detail is None else detail
    said: dict = {"detail": detail, "detail_params": params or {}}
    incident = _incident(order, partner, step, code, said, now)
    mail = mail and not incident.is_asleep(now) and step != Dispatch.Step.FETCH_USAGE  # stops no order
    stopped_by = {"step": step if step != incident.step else ""}
    if beside is not None and beside.pk != order.pk:
        named = {"since": now, "beside": True, **stopped_by, **said}
        AffectedOrder.objects.get_or_create(incident=incident, order=beside, closed_at=None, defaults=named)
    row, new = AffectedOrder.objects.get_or_create(
        incident=incident, order=order, closed_at=None, defaults={"since": now, "quiet": not mail, **stopped_by, **said}
    )
    loud = mail and row.quiet
    if row.beside or loud or (row.detail, row.detail_params) != (detail, said["detail_params"]):
        own = stopped_by if row.beside else {}
        AffectedOrder.objects.filter(pk=row.pk).update(beside=False, quiet=row.quiet and not mail, **own, **said)
    kept = {"params": params} if params else {}
    if new:
        add_event(order, "incident", by="system", now=now, partner=partner, step=step, code=code, detail=detail, **kept)
        _leave_others(order, incident, now)
    elif not loud:
        return incident
    if mail and partner != "mail" and _first_of_its_attribution(row):
        if _told_lately(order, now):
            AffectedOrder.objects.filter(pk=row.pk).update(quiet=True)  # the next order's mail reports this cause
            return incident
        queue_mail(
            order,
            Dispatch.Step.MAIL_INCIDENT,
            cause=f"incident {incident.pk}",
            now=now,
            detail=detail,
            words=incident.words,
            **kept,
            **reference_of(incident),
        )
    return incident


@transaction.atomic
def open_incident_of_none(
    *, partner: str, step: str, code: str, detail: str, now: datetime.datetime, params: dict | None = None
) -> None:
    """Opens or updates an incident that stops no order (a given-up mail without an order, a mail server that is down).

    Sends no mail.
    """
    code = code[:32]
    lock_incidents([(partner, code)])
    said: dict = {"detail": detail, "detail_params": params or {}, "last_at": now}
    same = Incident.objects.unresolved().filter(partner=partner, step=step, code=code, affected=None)
    if not same.update(**said, count=F("count") + 1):
        Incident.objects.create(partner=partner, step=step, code=code, first_at=now, **said)


def lock_incidents(causes: Iterable[tuple[str, str]]) -> None:
    """Locks the incidents of these causes (partner, code) until the end of the transaction.

    All incidents of a partner share one lock: a batch of answers may stop orders for several causes, and two batches
    could deadlock. Our own incidents have one lock per code, since an arriving order needs only the lock of its hold.
    Locks are always taken in the same order, partners first. Does nothing on SQLite, which has a single writer.
    """
    if connection.vendor != "postgresql":
        return
    names = sorted(
        {(partner == ORDER, f"{partner} {code}" if partner == ORDER else partner) for partner, code in causes}
    )
    if not names:
        return
    locks = ", ".join(["pg_advisory_xact_lock(%s, %s)"] * len(names))
    numbers = [number for _own, name in names for number in (LOCKS, zlib.crc32(name.encode()) - 2**31)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('lock_timeout', %s, true), {locks}", [LONGEST_WAIT, *numbers])


def reference_of(incident: Incident) -> dict:
    return {"incident": incident.pk, "partner": incident.partner, "step": incident.step, "code": incident.code}


def _incident(order: Order, partner: str, step: str, code: str, said: dict, now: datetime.datetime) -> Incident:
    """Returns the incident of this cause with its count increased, or a new one.

    Ignored incidents stay ignored for their orders.
    """
    same = Incident.objects.filter(partner=partner, code=code, step__in=shared_by(step, code))
    words = words_of(code, said["detail_params"], order.number)
    stopped = AffectedOrder.objects.unresolved().of_step(step).filter(order=order)
    ignored = same.filter(state=Incident.State.IGNORED, pk__in=stopped.values("incident"))
    known = ignored.order_by("-pk").first()
    known = known or same.unresolved().filter(words=words).order_by("pk").first()
    if known is None and words and same.unresolved().exclude(words=OTHERS).count() >= MAX_GROUPS:
        words = OTHERS
        known = same.unresolved().filter(words=words).first()
    if known is None:
        fields = {"partner": partner, "step": step, "code": code, "words": words, **said}
        return Incident.objects.create(**fields, first_at=now, last_at=now)
    Incident.objects.filter(pk=known.pk).update(last_at=now, **said, count=F("count") + 1)
    return known


def shared_by(step: str, code: str) -> list[str]:
    """Returns the steps that share an incident if they fail with this code. For a doubt, these are all steps of the
    same call."""
    return steps_of_call(step) if code in DOUBTS else [step]


def in_doubt() -> QuerySet[Dispatch]:
    """Returns the failed steps that keep the outer row's order in an incident about a doubt. Any step of the call
    counts."""
    doubts = Dispatch.objects.current().filter(state=Dispatch.State.FAILED, error_code__in=DOUBTS)
    return doubts.filter(order=OuterRef("order"), error_code=OuterRef("incident__code"))


def move_trouble(order: Order, *, partner: str, step: str, code: str, now: datetime.datetime) -> None:
    """Moves an order's open trouble of a step to the incident of another code. The failure continues."""
    lock_incidents([(partner, code)])
    rows = AffectedOrder.objects.unresolved().filter(order=order, incident__partner=partner, incident__step=step)
    row = rows.select_related("incident").first()
    if row is None or row.incident.code == code:
        return
    there = Incident.objects.unresolved().filter(partner=partner, step=step, code=code, words="").first()
    if there is None and not row.incident.affected.unresolved().exclude(pk=row.pk).exists():
        Incident.objects.filter(pk=row.incident_id).update(code=code)
        return
    said: dict = {"detail": row.detail, "detail_params": row.detail_params}
    there = there or Incident.objects.create(
        partner=partner, step=step, code=code, first_at=row.since, last_at=now, count=0, **said
    )
    AffectedOrder.objects.create(incident=there, order=order, since=row.since, quiet=row.quiet, **said)
    AffectedOrder.objects.filter(pk=row.pk).update(closed_at=now)
    end_incidents(stopping_nobody([row.incident_id]), now=now, mail=False)


def _leave_others(order: Order, incident: Incident, now: datetime.datetime) -> None:
    """Removes the order from other incidents with the same code, since the partner's reason for the refusal has
    changed.
    """
    if not incident.code.startswith(CODES_WITH_PARTNERS_WORDS):
        return
    same = Incident.objects.filter(partner=incident.partner, step=incident.step, code=incident.code)
    left = AffectedOrder.objects.unresolved().filter(order=order, incident__in=same).exclude(incident=incident)
    if incidents := list(left.values_list("incident", flat=True)):
        close_parts(order, incidents, now=now)
        end_incidents(stopping_nobody(incidents), now=now, mail=False)


def _first_of_its_attribution(row: AffectedOrder) -> bool:
    same = AffectedOrder.objects.filter(incident=row.incident, order__attribution=row.order.attribution_id)
    same = same.filter(beside=False, quiet=False)  # no mail went out through these
    return not same.exclude(pk=row.pk).exists()


def _told_lately(order: Order, now: datetime.datetime) -> bool:
    """Returns True if a mail about another cause of this order was just written. The order page shows the new cause
    too."""
    since = now - SIMILAR_WITHIN
    return Mail.objects.filter(order=order, kind=Dispatch.Step.MAIL_INCIDENT, written_at__gt=since).exists()


def end_built_upon(order: Order, *, now: datetime.datetime, **accepted: str) -> None:
    """Ends the incident `change_built_upon` for all orders of a trial. `accepted`: the actor and the reason."""
    family = Q(order__trial=order.trial_id) | Q(order=order.trial_id)
    rows = AffectedOrder.objects.unresolved().filter(family, incident__code=DEPENDENCY_GONE)
    if order.trial_id and rows.exists():
        lock_incidents([(ORDER, DEPENDENCY_GONE)])
        incidents = list(rows.values_list("incident", flat=True))
        rows.update(closed_at=now, **accepted)
        end_incidents(stopping_nobody(incidents), now=now)


def stopping_nobody(incidents: Iterable[int]) -> QuerySet[Incident]:
    still = AffectedOrder.objects.unresolved().filter(incident__in=incidents).values("incident")
    return Incident.objects.unresolved().filter(pk__in=incidents).exclude(pk__in=still)


def close_troubles(
    order: Order,
    *,
    now: datetime.datetime,
    by: str,
    step: str | None = None,
    code: str | None = None,
    but: Iterable[str] = (),
) -> None:
    """Closes troubles of an order that proceeds, and ends the incidents that then stop no order.

    `step` and `code` limit this to the troubles of one step or code. Troubles with a code in `but` stay open. Incidents
    about a partner are left unchanged, since they end when the partner responds or is resumed.
    """
    rows = AffectedOrder.objects.unresolved().filter(order=order).exclude(incident__code__in=PARTNERS_OWN)
    rows = rows.exclude(incident__code__in=list(but)) if but else rows
    if step is not None:
        rows = rows.of_step(step).exclude(Exists(in_doubt().exclude(step=step)))
    if code is not None:
        rows = rows.filter(incident__code=code)
    causes = set(rows.values_list("incident__partner", "incident__code"))
    if not causes:
        return
    with transaction.atomic():
        lock_incidents(causes)
        incidents = list(rows.values_list("incident", flat=True))
        close_parts(order, incidents, now=now)
        end_incidents(stopping_nobody(incidents), now=now)
        add_event(order, "incident_over", by=by, now=now, step=step or "", code=code or "")


def end_settled(orders: Iterable[Order], *, now: datetime.datetime, by: str) -> None:
    """Ends incidents about steps of (locked) orders if these steps ended without an answer of their own (contract 3.9,
    14).

    Every function that settles, replaces or closes steps calls this function after it has planned the replacements. The
    incident of a failed move of the start day ends when the order is undone or its start day was carried out.
    """
    by_id = {order.pk: order for order in orders}
    left = Dispatch.objects.current().filter(order=OuterRef("order"), step=OuterRef("stopped_by"))
    rows = AffectedOrder.objects.unresolved().filter(order__in=list(by_id), incident__step__in=STEPS)
    rows = rows.alias(stopped_by=STOPPED_BY).filter(~Exists(left.exclude(state__in=ENDED_STEPS)), ~Exists(in_doubt()))
    rows = rows.exclude(incident__code__in=NEVER_END_BY_THEMSELVES)
    for pk, step, code in sorted(set(rows.values_list("order_id", STOPPED_BY, "incident__code"))):
        order = by_id[pk]
        if code != MOVE_FAILED or order.undo_since or order.state == Order.State.ACTIVE:
            close_troubles(order, step=step, code=code, now=now, by=by)


def close_parts(order: Order, incidents: Iterable[int], *, now: datetime.datetime, **accepted: str) -> None:
    """Closes an order's rows of these incidents.

    A trial stays listed while another of its orders is listed. `accepted`: actor and reason.
    """
    trial = order.trial_id or order.pk
    rows = AffectedOrder.objects.unresolved().filter(incident__in=list(incidents))
    rows.filter(order=order).exclude(order=trial).update(closed_at=now)
    still = rows.filter(incident=OuterRef("incident"), order__trial=trial)
    own = Q() if order.pk == trial else Q(beside=True)
    named = rows.filter(own, order=trial)
    named.filter(~Exists(still)).update(closed_at=now, **accepted)
    if order.pk == trial:
        named.update(beside=True)


def end_incidents(incidents: Iterable[Incident], *, now: datetime.datetime, mail: bool = True) -> None:
    """Ends these incidents. The caller must hold the lock.

    Attributions that got a mail about an incident get a mail about its end.
    """
    for incident in list(incidents):
        incident.affected.unresolved().update(closed_at=now)
        Incident.objects.filter(pk=incident.pk).update(state=Incident.State.RESOLVED, last_at=now)
        for order, number, told in _mailed_about(incident) if mail else ():
            about = {"orders": number, "words": incident.words, "behind": told, **reference_of(incident)}
            queue_mail(order, Dispatch.Step.MAIL_OVER, cause=f"incident {incident.pk}", now=now, **about)


def _mailed_about(incident: Incident) -> list[tuple[Order, int, list[int]]]:
    """Returns a tuple for each attribution that was mailed: one of its orders, the number of its affected orders, and
    the ids of the mails."""
    about, affected = {"about__incident": incident.pk}, incident.affected.values("order")
    mails = Mail.objects.filter(kind=Dispatch.Step.MAIL_INCIDENT, order__in=affected, **about)
    rows = list(mails.order_by("-pk").values_list("order", "pk"))
    orders = Order.objects.defer("content").in_bulk([order for order, _mail in rows])
    through, told = {}, defaultdict(list)
    for order, pk in rows:
        through[orders[order].attribution_id] = orders[order]
        told[orders[order].attribution_id].append(pk)
    if not through:
        return []
    affected = incident.affected.order_by().values_list("order__attribution")
    numbers = dict(affected.annotate(number=Count("order", distinct=True)))
    return [(order, numbers[letters], told[letters]) for letters, order in reversed(through.items())]


# --- normalised refusal texts: a partner's words without the details of one order; pure, linear in time
#
# `域名 a.example.com 未备案（2023-09-20 18:53:39）` becomes `域名 # 未备案（#）`.

LONGEST_WORDS = 120
LONGEST_TEXT = 2000  # characters; the rest is ignored
QUOTED = re.compile(
    r"""
    "[^"]*+(?:"|\Z) | “[^“”]*+(?:”|\Z) | ‘[^‘’]*+(?:’|\Z) | 「[^「」]*+(?:」|\Z) | 『[^『』]*+(?:』|\Z)
    | 《[^《》]*+(?:》|\Z) | `[^`]*+(?:`|\Z) | (?<!\w)'[^']*+(?:'(?!\w)|\Z)
""",
    re.VERBOSE,
)
ADDRESS = re.compile(r"https?://[^\s，。；、（）]++")
RUN = re.compile(r"[A-Za-z0-9_.@%+-]++")  # a word, number, domain, mail address, order number or part of a time
NUMBER = re.compile(r"\d++")  # digits of other scripts
LABELS = re.compile(r"(?<![^\W0-9A-Za-z_])[^\W0-9A-Za-z_]++(?:\x00|\.(?=\w)(?:[^\W_]|[.-])*+)")
"""A non-ASCII domain, or its first labels."""
SEVERAL = re.compile(r"#(?:[\s,，、;；:：/|.-]*+#)++")


def words_of(code: str, params: Mapping, number: str) -> str:
    """Returns the error's text without the details of one order. The text is empty for our own codes, which have fixed
    messages."""
    if not code.startswith(CODES_WITH_PARTNERS_WORDS) or params.get("code") != "partner_words":
        return ""
    return common_words(params["words"].replace(number, "#"))


def common_words(text: str) -> str:
    """Replaces quotes, domains, addresses, numbers and times in a text by `#`.

    Returns at most LONGEST_WORDS characters.
    """
    text = text[:LONGEST_TEXT].replace("\0", " ")
    text = RUN.sub(_run, ADDRESS.sub("#", QUOTED.sub("#", text)))
    text = NUMBER.sub("#", LABELS.sub("#", text).replace("\0", "#"))
    return " ".join(SEVERAL.sub("#", text).split())[:LONGEST_WORDS]


def _run(found: re.Match) -> str:
    """Returns `#` for a run with a digit, an @ or an inner dot. Returns NUL for a run that continues the text before
    it, such as `.com` in `例子.com`."""
    run = found[0]
    core = run.rstrip(".-%+_")
    if core.startswith("."):
        return "\0" + run[len(core) :]
    if any(map(str.isdigit, core)) or "@" in core or "." in core:
        return "#" + run[len(core) :]
    return run
