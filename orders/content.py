"""What an order says, once its form has been checked: the boundary between the wire and the core."""

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OrderContent:
    """The members of BBOSS's `content` in our names (contract 2.4). `None` or empty: not given.

    `domains` keeps the message's order and spelling. `kind` is one of `Order.Kind`.
    """

    kind: str
    number: str
    trial_number: str = ""
    domains: tuple[str, ...] | None = None
    service_type: str = ""
    attribution: str = ""
    biz_start: datetime.date | None = None
    biz_end: datetime.date | None = None
    enterprise_id: str = ""
    enterprise_name: str = ""
    cp_id: str = ""
    user_id: str = ""
    oper_user: str = ""
    oper_tel: str = ""
    oper_mail: str = ""
    prod_type: str = ""
    product_id: str = ""
    billing_method: str = ""
    data_flow: str = ""
    info_security: str = ""
    info_security_table: str = ""
    busi_info: str = ""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What the sender is told: our first number for this order, and whether we had it already."""

    order_number: str
    trans_idh: str
    repeated: bool
