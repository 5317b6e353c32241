"""The second sheet of an exported workbook: facts about the file, and the meaning of each column."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.lists.plain_cells import Cell


class Titled(Protocol):
    name: str
    label: str


EVERYWHERE = {
    "domain": gettext_lazy("domain, as BBOSS sent it"),
    "number_link": gettext_lazy("number of the order"),
    "order_link": gettext_lazy("number of the order"),
    "customer": gettext_lazy("name of the customer"),
    "enterprise_id": gettext_lazy("number of the customer at BBOSS"),
    "owner_name": gettext_lazy("who sees to it"),
    "product_id": gettext_lazy("ProductID of the subscription; of a trial's record the service type"),
    "received": gettext_lazy("when BBOSS's message arrived, or staff entered the order"),
}
OF_LIST = {
    "orders": {
        "number": gettext_lazy("BBOSS's number, or that which staff entered"),
        "kind": gettext_lazy("trial, change of a trial, or activation"),
        "attribution_name": gettext_lazy("province, group or international, to which the order belongs"),
        "service_name": gettext_lazy("service type"),
        "state_chip": gettext_lazy("where the order stands, and what is wrong with it"),
        "overtime": gettext_lazy("by how much working time it has passed the limit of its state"),
        "stuck_at": gettext_lazy("why it is held, or the step that failed or is tried again"),
        "start_day": gettext_lazy("the day on which the business starts"),
        "late": gettext_lazy("whole days since the business should have started"),
        "since": gettext_lazy("since when it is in this state; empty: not noted"),
        "attempts": gettext_lazy("how often the step at which it is stuck was tried"),
        "next_try": gettext_lazy("when that step is tried again by itself"),
        "trial_number": gettext_lazy("number of the trial that the order names"),
        "data_flow": gettext_lazy("ordered volume, as BBOSS sent it"),
        "biz_end": gettext_lazy("last day in the order's own message; a change may have moved it"),
        "trial_end": gettext_lazy("last day of the trial that counts, after changes"),
        "bpm_process": gettext_lazy("number of the process at BPM"),
        "live_at": gettext_lazy("since when the customer is served and billed"),
        "domain_names": gettext_lazy("domains of the order; of a trial those that are on trial now"),
        "domain_count": gettext_lazy("how many domains these are, also where the cell has no room for all"),
        "asked": gettext_lazy("when BPM accepted the order for approval"),
        "waited": gettext_lazy("whole days since the order waits in this state: for approval, held or failed"),
        "oper_user": gettext_lazy("the customer's person"),
        "oper_tel": gettext_lazy("phone of the customer's person"),
        "oper_mail": gettext_lazy("mail address of the customer's person"),
    },
    "billing": {
        "state_chip": gettext_lazy("state at the big-data side, as far as we know"),
        "info_type": gettext_lazy("record of a trial (free), or commercial"),
        "create_time": gettext_lazy("from when on it counts"),
        "cancel_time": gettext_lazy("until when it counts"),
    },
    "approvals": {
        "time": gettext_lazy("when it was decided"),
        "result_chip": gettext_lazy("what was decided"),
        "node_cut": gettext_lazy("the step of the process at which it was decided"),
        "who": gettext_lazy("who decided"),
        "opinion_cut": gettext_lazy("what they wrote"),
        "opinion": gettext_lazy("what they wrote, whole"),
        "ended": gettext_lazy("whether the process was over with it"),
        "source": gettext_lazy("from BPM, or by staff of the desk"),
    },
    "incidents": {
        "cause": gettext_lazy("what happened"),
        "state_chip": gettext_lazy("whether somebody sees to it"),
        "orders_stopped": gettext_lazy("how many orders it still stops"),
        "partner_name": gettext_lazy("whom it is about"),
        "step_name": gettext_lazy("which step failed"),
        "first": gettext_lazy("when it happened first"),
        "asleep": gettext_lazy("until when nobody is mailed about it"),
        "last": gettext_lazy("when it happened last"),
    },
    "differences": {
        "kind": gettext_lazy("how the big-data side's records differ from ours"),
        "state_chip": gettext_lazy("whether it still stands"),
        "found": gettext_lazy("when a comparison found it"),
        "fix_step": gettext_lazy("the step that puts it right"),
    },
    "attempts": {
        "step_name": gettext_lazy("what was sent"),
        "outcome_chip": gettext_lazy("what came of it"),
        "number": gettext_lazy("which attempt of the step it was"),
        "what": gettext_lazy("the cause, where it failed"),
        "http_status": gettext_lazy("HTTP status of the answer; empty: no answer"),
        "began": gettext_lazy("when it was sent"),
        "took_time": gettext_lazy("how long the answer took"),
        "error": gettext_lazy("the error as it was logged"),
    },
    "mails": {
        "subject_cut": gettext_lazy("subject"),
        "state_chip": gettext_lazy("whether it was sent"),
        "kind_word": gettext_lazy("what the mail is about"),
        "written_at": gettext_lazy("when it was written"),
        "recipients": gettext_lazy("to whom it goes"),
        "body": gettext_lazy("text of the mail"),
    },
    "inbound": {
        "trans_ido": gettext_lazy("BBOSS's number of the message"),
        "answer_chip": gettext_lazy("code of our answer"),
        "answer_text": gettext_lazy("what our answer means"),
        "biz_code": gettext_lazy("code of the business in our answer"),
        "remote_address": gettext_lazy("the address from which it came"),
        "rsp_desc": gettext_lazy("text of our answer"),
    },
    "customers": {
        "customer_name": gettext_lazy("name, as the newest order has it"),
        "places": gettext_lazy("attributions of the customer's orders"),
        "billed_now": gettext_lazy("whether a commercial record counts now, or else a trial's"),
        "newest_order": gettext_lazy("when the newest order arrived"),
    },
    "events": {
        "what": gettext_lazy("what happened"),
        "who": gettext_lazy("who did it: a person, a partner, or the desk by itself"),
        "more": gettext_lazy("the reason that was given, or a detail"),
        "moment": gettext_lazy("when it happened"),
    },
    "bulk": {
        "row": gettext_lazy("the order or incident that was acted on"),
        "outcome": gettext_lazy("what came of it"),
        "reason": gettext_lazy("why it was not done"),
        "of_run": gettext_lazy("the run, and what it did"),
    },
}


def notes_of(about: Iterable[tuple[str, Cell]], name: str, columns: Sequence[Titled], rows: int) -> list[list[Cell]]:
    """The rows of the sheet, each a title and a text. `about`: facts about the file. `name`: the list."""
    meanings = EVERYWHERE | OF_LIST.get(name, {})
    facts = [*about, (_("Rows"), rows)]
    explained = [[column.label, str(meanings.get(column.name, ""))] for column in columns]
    return [[_("About this file"), None], *map(list, facts), [None, None], [_("Column"), _("Meaning")], *explained]
