"""Builds a dispatch's payload at its first attempt: facts from the database, the form from the partner's folder."""

import datetime
import json
from collections.abc import Callable

from django.db.models import prefetch_related_objects

from integrations.bigdata import payload as bigdata
from integrations.bigdata.payload import RecordFacts
from integrations.bpm import payload as bpm
from integrations.bpm.payload import FlowFacts
from integrations.delivery.mail_facts import mail_facts
from integrations.outbound.formats import encode
from notifications.recipients import contacts_for
from notifications.services import mail_payload, write_mail
from orders.models import BillingRecord, Dispatch, OrderDomain
from orders.services.planning import latest_shape
from orders.steps import STEPS, Effect

Step, Channel = Dispatch.Step, Dispatch.Channel


def build_payloads(
    rows: list[Dispatch], now: datetime.datetime, records: dict[int, BillingRecord]
) -> dict[int, str | Exception]:
    """{dispatch id: JSON text}. One that can't be built has its exception there, so that the others go on. `records`:
    those of the rows, by id, as they shall be."""
    _give_orders(rows, records)
    domains = _domains_of(rows)
    built = {}
    for row in rows:
        try:
            built[row.pk] = _BUILDERS[row.channel](row, now, records, domains)
        except Exception as error:  # whatever it is, it must not stop the neighbours
            built[row.pk] = error
    return built


def _give_orders(rows: list[Dispatch], records: dict[int, BillingRecord]) -> None:
    """Gives each record its order: mostly the row's own or its trial, which are there already."""
    orders = {order.pk: order for row in rows for order in (row.order, row.order.trial) if order}
    for record in records.values():
        if record.order_id in orders:
            record.order = orders[record.order_id]
    if records:
        prefetch_related_objects(list(records.values()), "order__attribution")


def _domains_of(rows: list[Dispatch]) -> dict[int, list[str]]:
    """The domains of the orders that BPM or a mail must name."""
    wanted = {row.order_id for row in rows if row.channel in {Channel.BPM, Channel.MAIL}}
    found: dict[int, list[str]] = {pk: [] for pk in wanted}
    if wanted:
        rows = OrderDomain.objects.filter(order__in=wanted).order_by("pk")
        for order_id, name in rows.values_list("order_id", "name"):
            found[order_id].append(name)
    return found


def _billing(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    if STEPS[row.step].fix:
        return encode(_fix(row, records))
    if row.step == Step.ASK_BILLING:
        return encode({"jobId": row.about.get("job") or row.order.number})
    cancelled = STEPS[row.step].effect == Effect.CANCEL
    facts = [record_facts(records[pk], cancelled=cancelled) for pk in row.records]
    if row.step == Step.VERIFY_DELETED:
        return encode({"jobId": row.order.number, "delete": bigdata.deletion(facts)})
    return encode((bigdata.deletion if row.step == Step.DELETE_BILLING else bigdata.product_infos)(facts))


def _fix(row: Dispatch, records: dict[int, BillingRecord]) -> dict:
    """What a reconciliation found, as far as it is still so; perhaps nothing is.

    Only what we hold for live or cancelled is sent again, and never deleted.
    """
    stand = {BillingRecord.State.LIVE, BillingRecord.State.CANCELLED}
    if row.step == Step.FIX_DELETE:
        ours = set(row.order.billing_records.filter(state__in=stand).values_list("product_id", "domain_key"))
        named = [one for one in row.about["named"] if (one["productId"], one["domain"].lower()) not in ours]
        fixed = {"productInfos": named}
    else:
        mine = [records[pk] for pk in row.about["fixes"] if records[pk].state in stand]
        cancelled = BillingRecord.State.CANCELLED
        fixed = bigdata.product_infos(record_facts(record, cancelled=record.state == cancelled) for record in mine)
    return fixed


def record_facts(record: BillingRecord, *, cancelled: bool) -> RecordFacts:
    """A record as it shall be. The customer is the record's own order's: a trial's stays the trial's."""
    owner = record.order
    return RecordFacts(
        job_id=owner.number,
        product_id=record.product_id,
        domain=record.domain,
        info_type=record.info_type,
        business_type=record.business_type,
        billing_method=owner.billing_method,
        create_time=record.create_time,
        cancel_time=record.cancelled_at if cancelled else record.cancel_time,
        cancelled=cancelled,
        enterprise_id=owner.enterprise_id,
        enterprise_name=owner.enterprise_name,
        province_code=owner.attribution.code,
        accepted=record.accepted,
    )


def _usage(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    trial = row.order.trial or row.order
    shape = latest_shape(trial)
    return encode(
        bigdata.trial_flow_query(
            enterprise_id=trial.enterprise_id, product_id=shape.service_type_id, job_id=trial.number
        )
    )


def _bpm(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    order = row.order
    facts = FlowFacts(
        number=order.number,
        domains=domains[order.pk],
        cdn_type=order.service_type.cdn_type,
        plains=order.service_type.plains,
        enterprise_name=order.enterprise_name,
        oper_user=order.oper_user,
        oper_tel=order.oper_tel,
        oper_mail=order.oper_mail,
        prod_type=order.prod_type,
        province_letters=order.attribution_id,
        at=now,
        start=order.start_at or now,
        user_id=order.user_id,
        cp_id=order.cp_id,
        file_names=[order.info_security, order.busi_info],
        contacts=() if order.first else contacts_for(order.attribution_id),
    )
    return encode(bpm.first_activation(facts) if order.first else bpm.subsequent_activation(facts))


def _files(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    order = row.order
    names = {
        "info_security": order.info_security,
        "info_security_table": order.info_security_table,
        "busi_info": order.busi_info,
    }
    return json.dumps({"order_number": order.number, "files": {key: name for key, name in names.items() if name}})


def _mail(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    mail = write_mail(
        dispatch_id=row.pk,
        dispatch_key=row.key,
        order_id=row.order_id,
        kind=row.step,
        facts=mail_facts(row, domains[row.order_id]),
        letters=_letters(row),
        now=now,
    )
    return encode(mail_payload(mail))


def _letters(row: Dispatch) -> str:
    """Whose mail it is; a reconciliation's is nobody's in particular.

    An order that is held before its plan has no attribution of its own yet: its trial's people answer for it.
    """
    if row.step == Step.MAIL_RECONCILED:
        return ""
    known = (order.attribution_id for order in (row.order, row.order.trial) if order and order.attribution_id)
    return next(known, "")


_BUILDERS: dict[str, Callable[[Dispatch, datetime.datetime, dict, dict], str]] = {
    Channel.BILLING: _billing,
    Channel.USAGE: _usage,
    Channel.BPM: _bpm,
    Channel.FILES: _files,
    Channel.MAIL: _mail,
}
