"""The messages of BBOSS and BPM.

T0 and T1 are trials, C0 is a change, A0 an activation. A letter stands for a domain.
"""

import datetime
import functools
import json
import uuid

from django.utils import timezone

from integrations.bboss.order_fields import is_withdrawal, read_order, read_withdrawal
from integrations.bboss.reply_codes import Refused
from orders.bpm.received_decisions import receive_approval
from orders.intake.receive import keep_message, receive_order
from orders.models import InboundMessage, Order
from orders.replanning.withdrawal import withdraw_order
from orders.restore.detect_restore import is_restored
from orders.rules.content import OrderContent, content_hash
from orders.texts.errors import OrderError
from tests.flows import contents
from tests.model.acts import act
from tests.release_again import not_as_released

FIRST_DAY = datetime.date(2023, 9, 20)
# This enterprise has no known attribution, so its order is held until staff choose one.
UNKNOWN_ENTERPRISE = "555A23100079275183"
FILE = "{}_50004020027_20230920185436.xlsx"


def day(number: int) -> str:
    """Returns a day as text in the wire's format. Day 0 is FIRST_DAY."""
    return f"{FIRST_DAY + datetime.timedelta(days=number):%Y%m%d}"


def names(letters: str | tuple[str, ...]) -> tuple[str, ...]:
    """Returns the host names for these letters. `ab` gives two domains, and `A` is another spelling of `a`.

    If `letters` is a tuple, it already contains whole names.
    """
    return letters if isinstance(letters, tuple) else tuple(f"{letter}.example.com" for letter in letters)


def trial_content(number: str, domains: str | tuple[str, ...], service: str, end: int | None, flow: str) -> dict:
    """Returns the content of a trial's message. `end` is the number of its last day."""
    content = contents.trial(number, *names(domains), BusinessType=service, DataFlow=flow)
    return content if end is None else content | {"BizEnd": day(end)}


@functools.lru_cache(maxsize=4096)
def _read(text: str) -> OrderContent:
    return read_order(json.loads(text))


def as_order(content: dict) -> OrderContent:
    """Reads the order from the content of a message. Raises Refused."""
    return _read(json.dumps(content, ensure_ascii=False))


class Messages:
    """Sends messages to the desk: BBOSS's orders and BPM's records."""

    def __init__(self):
        self.contents: dict[str, dict] = {}
        self.accepted: dict[str, str] = {}
        self.calls: dict[str, str] = {}
        self.entered: dict[str, dict] = {}  # trials entered by staff, in the form in which BBOSS would have sent them

    @act
    def trial(self, number: str, domains: str = "a", *, service="1", end: int | None = None, known=True, flow="1"):
        """Sends a trial. `end` is the number of its last day. With `known=False`, its attribution is unknown."""
        content = trial_content(number, domains, service, end, flow)
        return self._send(content if known else content | {"EnterpriseID": UNKNOWN_ENTERPRISE})

    @act
    def change(self, number: str, of: str, domains="", *, service="", end: int | None = None, flow=""):
        """Sends a change of a trial: the complete new list of domains, or another service, last day or volume."""
        more = {"BusinessType": service, "BizEnd": "" if end is None else day(end), "DataFlow": flow}
        return self._send(contents.change(number, *names(domains), of=of, **{k: v for k, v in more.items() if v}))

    @act
    def activation(self, number: str, of: str, domains="", *, start=0, service="1", files=False, flow="1"):
        """Sends an activation.

        `start` is the number of its start day. Without `domains`, it uses the trial's domains.
        """
        if files:
            self.wrong_files.add(number)
        more = {"BusinessType": service, "DataFlow": flow} | ({"InfoSecurity": FILE.format(number)} if files else {})
        return self._send(contents.activation(number, *names(domains), of=of, start=day(start), **more))

    @act
    def withdraw(self, number: str):
        """Sends BBOSS's withdrawal of an order."""
        return self._send(contents.withdrawal(number))

    @act
    def again(self, number: str, *, flow="", same_call=False):
        """Sends the message of an order again.

        With `flow`, the content differs. With `same_call`, the message has the transIDO of its first call.
        """
        content = self.contents[number] | ({"DataFlow": flow} if flow else {})
        return self._send(content, self.calls[number] if same_call else "")

    @act
    def callback(self, number: str, result: str = "pass", record: str = "r1", *, finished: bool = True):
        """Sends BPM's decision about an order."""
        if is_restored():
            return "503"
        new = receive_approval(
            number=number,
            record_id=record,
            node="sa-review",
            node_name="政企SA审批",
            result=result,
            operator="sa",
            opinion="",
            time=timezone.now(),
            finished=finished,
            body_hash=content_hash([number, result, finished]),
        )
        return "" if new else "known"

    def _send(self, content: dict, call: str = "") -> str:
        number, call = content["OrderNum"], call or uuid.uuid4().hex
        if is_restored():  # integrations.bboss.views answers so too
            return "503"
        message = self._message(number, call)
        try:
            if is_withdrawal(content):
                receipt = withdraw_order(read_withdrawal(content), raw=content, trans_ido=call, message=message)
            else:
                receipt = receive_order(as_order(content), raw=content, trans_ido=call, message=message)
        except (OrderError, Refused):
            keep_message(self._message(number, call))
            raise
        if not is_withdrawal(content) and number not in self.accepted:
            if not receipt.repeated:
                assert not (difference := not_as_released(Order.objects.get(number=number))), difference
            self.contents[number], self.accepted[number], self.calls[number] = content, receipt.trans_idh, call
            self.missing.pop(number, None)
        return "known" if receipt.repeated else ""

    def _message(self, number: str, call: str) -> InboundMessage:
        return InboundMessage(
            received_at=timezone.now(),
            remote_address="127.0.0.1",
            trans_ido=call,
            trans_idh=uuid.uuid4().hex,
            order_number=number,
            http_status=200,
            rsp_code="00000",
            rsp_desc="Success",
            biz_code="",
            body="{}",
        )
