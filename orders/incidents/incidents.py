"""Opens and closes incidents: one per cause, with every order that it stopped.

For each attribution one mail goes out when the incident stops its first order, and one when the incident is over. Both
are about that order too. There is never a mail per failure.
"""

import datetime
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from notifications.models import Mail
from orders.history.order_writes import add_event
from orders.incidents.incident_codes import (
    DEPENDENCY_GONE,
    MOVE_FAILED,
    NEVER_END_BY_THEMSELVES,
    ORDER,
    PARTNERS_OWN,
)
from orders.mails.mails import queue_mail
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.models.querysets import STOPPED_BY
from orders.outbox.outcome import DOUBTS
from orders.rules.steps import STEPS, steps_of_call
from orders.texts.error_messages import say_why_in_english
from orders.texts.incident_texts import OTHERS

ENDED_STEPS = [Dispatch.State.DONE, Dispatch.State.CLOSED, Dispatch.State.UNDONE]
# Not GIVEN_UP: what such a step did is asked first.
LOCKS = 0x1D5C  # the first half of the advisory locks' numbers; any will do
SIMILAR_WITHIN = datetime.timedelta(minutes=1)
LONGEST_WAIT = "5s"
"""How long to wait for an incident's lock, and for any later lock of the transaction."""
MAX_GROUPS = 20  # incidents of a code; the next refusals are all in one, whose words are OTHERS
CODES_WITH_PARTNERS_WORDS = (
    "code_",
    "http_",
    "smtp_",
    "provider_",
)  # codes that a partner or a mail server chose and gave words with


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
    """Notes that this cause stops the order. Each attribution gets one mail about it, with its first order.

    Of doubts about answers (contract 7.2) the steps of one call share an incident, which an order has once.

    `beside`: the trial on whose records the order is stopped; the incident names it too (contract 3.9, 14).

    `detail` is for the log. `params` hold the same as a code, if pages have words for it (`error_messages.py`). Without
    a detail, it is those words. With `mail=False` no mail is sent, not even about the end, until the cause is noted
    again with mail. Held orders use it, since they have a mail of their own, and comparisons that somebody looks at.
    While the incident sleeps it is the same. Failed mails cause no mail. Raises OperationalError if the lock is not
    free within LONGEST_WAIT.
    """
    code = code[:32]
    lock_incidents([(partner, code)])
    detail = say_why_in_english(params) if detail is None else detail
    said: dict = {"detail": detail, "detail_params": params or {}}
    incident = _incident(order, partner, step, code, said, now)
    mail = mail and not incident.is_asleep(now) and step != Dispatch.Step.FETCH_USAGE  # which stops no order
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
            AffectedOrder.objects.filter(pk=row.pk).update(quiet=True)  # the next order's mail tells of this cause
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
    """Notes a cause that stops no order: a mail about none that was given up, a mail server that is away. Nobody is
    mailed about it."""
    code = code[:32]
    lock_incidents([(partner, code)])
    said: dict = {"detail": detail, "detail_params": params or {}, "last_at": now}
    same = Incident.objects.unresolved().filter(partner=partner, step=step, code=code, affected=None)
    if not same.update(**said, count=F("count") + 1):
        Incident.objects.create(partner=partner, step=step, code=code, first_at=now, **said)


def lock_incidents(causes: Iterable[tuple[str, str]]) -> None:
    """Locks the incidents of these causes (partner, code) until the transaction ends, to open or close them.

    All incidents of a partner share one lock. A batch of answers stops orders by several causes, and two batches that
    met them in different sequence would wait for each other. Our own incidents have one lock for each code, since an
    arriving order needs only that of its hold. Several locks are always taken in the same sequence, partners first.
    SQLite has only one writer at a time anyway.
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
    """The incident of this cause, counted up, or a new one. An ignored one stays ignored for its orders."""
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
    """The steps whose failures with this code are one incident: for a doubt all that go to the same call."""
    return steps_of_call(step) if code in DOUBTS else [step]


def in_doubt() -> QuerySet[Dispatch]:
    """The failed steps that keep an order's part of a doubt's incident open: the incident is a call's, so any of
    them does."""
    doubts = Dispatch.objects.current().filter(state=Dispatch.State.FAILED, error_code__in=DOUBTS)
    return doubts.filter(order=OuterRef("order"), error_code=OuterRef("incident__code"))


def move_trouble(order: Order, *, partner: str, step: str, code: str, now: datetime.datetime) -> None:
    """Takes an order's open trouble of a step to the incident of another code: the same failure goes on."""
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
    """Takes the order out of similar incidents, since the partner now gives another reason for the same refusal."""
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
    """Returns True if a mail about another cause names the order just now: its page shows this one too."""
    since = now - SIMILAR_WITHIN
    return Mail.objects.filter(order=order, kind=Dispatch.Step.MAIL_INCIDENT, written_at__gt=since).exists()


def end_built_upon(order: Order, *, now: datetime.datetime, **accepted: str) -> None:
    """Ends the incident of what was built upon, for all orders of a trial. `accepted`: by whom and why."""
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
    """Closes the troubles of an order that goes on (all, only those of one step or code, or all `but` these codes), and
    the incidents that then stop nobody. One about a partner is over when the partner answers, or is resumed."""
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
    """Ends the incidents about steps of (locked) orders that are over by another road than their own answer (contract
    3.9, 14). Whatever settles, replaces or closes a step calls it, once its transaction has planned what comes instead.
    That of a move that is over ends when the order is undone or its day was carried out.
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
    """Closes an order's part of these incidents; a trial stays named beside others. `accepted`: by whom, and why."""
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
    """Ends these incidents, with the lock held. Each attribution that was mailed about one is mailed about its end."""
    for incident in list(incidents):
        incident.affected.unresolved().update(closed_at=now)
        Incident.objects.filter(pk=incident.pk).update(state=Incident.State.RESOLVED, last_at=now)
        for order, number, told in _mailed_about(incident) if mail else ():
            about = {"orders": number, "words": incident.words, "behind": told, **reference_of(incident)}
            queue_mail(order, Dispatch.Step.MAIL_OVER, cause=f"incident {incident.pk}", now=now, **about)


def _mailed_about(incident: Incident) -> list[tuple[Order, int, list[int]]]:
    """The orders whose mails told of the incident, one of each attribution, with its number of affected orders and the
    ids of all its mails that did."""
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


# --- what refusals have in common: a partner's words without the details of one order; pure, and linear in time
#
# `域名 a.example.com 未备案（2023-09-20 18:53:39）` becomes `域名 # 未备案（#）`.

LONGEST_WORDS = 120
LONGEST_TEXT = 2000  # characters of an error; the rest of it is ignored
QUOTED = re.compile(
    r"""
    "[^"]*+(?:"|\Z) | “[^“”]*+(?:”|\Z) | ‘[^‘’]*+(?:’|\Z) | 「[^「」]*+(?:」|\Z) | 『[^『』]*+(?:』|\Z)
    | 《[^《》]*+(?:》|\Z) | `[^`]*+(?:`|\Z) | (?<!\w)'[^']*+(?:'(?!\w)|\Z)
""",
    re.VERBOSE,
)
ADDRESS = re.compile(r"https?://[^\s，。；、（）]++")
RUN = re.compile(r"[A-Za-z0-9_.@%+-]++")  # a word, number, domain, mail, order number or part of a time
NUMBER = re.compile(r"\d++")  # of other scripts
LABELS = re.compile(r"(?<![^\W0-9A-Za-z_])[^\W0-9A-Za-z_]++(?:\x00|\.(?=\w)(?:[^\W_]|[.-])*+)")
"""A domain that is not written in ASCII, or its first labels."""
SEVERAL = re.compile(r"#(?:[\s,，、;；:：/|.-]*+#)++")


def words_of(code: str, params: Mapping, number: str) -> str:
    """Returns the common part of an error's words, without what differs between orders; empty if the code is our own
    and says all."""
    if not code.startswith(CODES_WITH_PARTNERS_WORDS) or params.get("code") != "partner_words":
        return ""
    return common_words(params["words"].replace(number, "#"))


def common_words(text: str) -> str:
    """A partner's words with `#` for quotes, domains, addresses, numbers and times. At most LONGEST_WORDS."""
    text = text[:LONGEST_TEXT].replace("\0", " ")
    text = RUN.sub(_run, ADDRESS.sub("#", QUOTED.sub("#", text)))
    text = NUMBER.sub("#", LABELS.sub("#", text).replace("\0", "#"))
    return " ".join(SEVERAL.sub("#", text).split())[:LONGEST_WORDS]


def _run(found: re.Match) -> str:
    """`#` for a run with a digit, an @ or an inner dot. NUL if it continues the text before it, as in `例子.com`."""
    run = found[0]
    core = run.rstrip(".-%+_")
    if core.startswith("."):
        return "\0" + run[len(core) :]
    if any(map(str.isdigit, core)) or "@" in core or "." in core:
        return "#" + run[len(core) :]
    return run
