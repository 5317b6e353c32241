"""The start of mutations: valid contents of each kind, valid approvals, and the orders that both name."""

import copy
import datetime
import random

from tests import bpm_messages
from tests.factories import OrderFactory, TrialFactory

NOW = datetime.datetime(2023, 9, 20, 18, 54, 36, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))
TRIAL, ACTIVATION = "100T1", "100A1"  # in the database before each input
TRIAL_CONTENT = {
    "OrderType": "1",
    "OrderNum": "100T2",
    "EnterpriseID": "100A23100079275183",
    "EnterpriseName": "北京泽天伟业商贸有限公司",
    "ProdType": "1",
    "BusinessType": "1",
    "BillingMethod": "1",
    "DataFlow": "1",
    "BizStart": "20230920",
    "BizEnd": "20231220",
    "CpID": "80171614",
    "UserID": "100A2310",
    "OperUser": "张三",
    "OperTel": "13700000000",
    "OperMail": "43",
    "Attribution": "BJ",
    "ProvContent": [{"ProvReq": "a.example.com"}, {"ProvReq": "b.example.com"}],
}
CHANGE_CONTENT = {
    "OrderType": "2",
    "OrderNum": "100C2",
    "BizRequest": TRIAL,
    "BusinessType": "4",
    "DataFlow": "2",
    "BizEnd": "20231230",
    "ProvContent": [{"ProvReq": "c.example.com"}],
}
ACTIVATION_CONTENT = {
    "OrderNum": "100A2",
    "BizRequest": TRIAL,
    "BizStart": "20230930",
    "ProdType": "1",
    "ProductID": "61000616304",
    "BusinessType": "1",
    "BillingMethod": "1",
    "DataFlow": "1",
    "BackFlag": "0",
    "InfoSecurity": "100A2_50004020027_20230920185436.xlsx",
    "InfoSecurityTable": "",
    "BusiInfo": "",
    "ProvContent": [{"ProvReq": "d.example.com"}],
}
WITHDRAWAL_CONTENT = {"OrderNum": ACTIVATION, "BackFlag": "1"}
CONTENTS = {
    "trial": TRIAL_CONTENT,
    "change": CHANGE_CONTENT,
    "activation": ACTIVATION_CONTENT,
    "withdrawal": WITHDRAWAL_CONTENT,
}
APPROVALS = {
    result + (" finished" if finished else ""): bpm_messages.approval(ACTIVATION, result=result, finished=finished)
    for result, finished in (("pass", False), ("pass", True), ("reject", True), ("return", False))
}


def now() -> datetime.datetime:
    """The clock of all runs."""
    return NOW


def content(chance: random.Random) -> tuple[str, dict]:
    """A kind and a fresh content of it."""
    return _one_of(CONTENTS, chance)


def approval(chance: random.Random) -> tuple[str, dict]:
    """A kind and a fresh approval of it."""
    return _one_of(APPROVALS, chance)


def make_orders() -> None:
    """The trial and the activation that the messages name."""
    trial = TrialFactory(number=TRIAL, planned_at=NOW)
    OrderFactory(number=ACTIVATION, trial=trial, trial_number=TRIAL)


def _one_of(kinds: dict[str, dict], chance: random.Random) -> tuple[str, dict]:
    kind = chance.choice(list(kinds))
    return kind, copy.deepcopy(kinds[kind])
