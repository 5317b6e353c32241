"""Plays the three acceptance cases through real processes: web, worker and sandbox.

The processes' clock shows the times of the cases.
"""

import pytest

from tests.harness.desk import ProcessDesk

pytestmark = pytest.mark.processes
BILLING, BPM = "/bigdata/productInfos", "/bpm/flows/start"


def test_the_cases_come_out_letter_by_letter(tmp_path, postgres, case):
    one, two, three = case(1), case(2), case(3)
    with ProcessDesk(tmp_path, postgres=postgres, clock=one["clock_setup"]) as desk:
        desk.add_files(two["files"])
        desk.add_contact(two["contacts"][0])
        desk.start_worker()
        assert desk.post(one["setup"][0])["response"]["rspCode"] == "00000"
        desk.until_state(one["content"]["BizRequest"], "trialing")
        desk.at(one["clock"])
        assert desk.post(one["content"])["response"]["rspCode"] == "00000"
        desk.until_state(one["content"]["OrderNum"], "active")
        assert billing(desk)[1:] == one["expect"]["billing"]
        assert desk.sent(BPM) == one["expect"]["bpm"]

        desk.at(two["clock"])
        assert desk.post(two["content"])["response"]["rspCode"] == "00000"
        desk.until_state(two["content"]["OrderNum"], "awaiting_approval")
        assert desk.sent(BPM)[1:] == two["expect"]["bpm"]
        desk.at(two["expect"]["approval_clock"])
        assert desk.callback(two["expect"]["approval"]).json()["code"] == 200
        desk.until_state(two["content"]["OrderNum"], "active")
        assert billing(desk)[3:] == two["expect"]["billing_after_approval"]

        sent = len(billing(desk))
        desk.at(three["clock_setup"])
        for content in three["setup"]:
            assert desk.post(content)["response"]["rspCode"] == "00000"
        desk.until_state(three["setup"][1]["OrderNum"], "applied")
        desk.at(three["clock"])
        number = three["content"]["OrderNum"]
        assert desk.post(three["content"])["response"]["rspCode"] == "00000"
        desk.until_state(number, "scheduled")
        assert desk.show(number)["schedule"]["name"] == three["expect"]["schedule"]["name"]
        assert billing(desk)[sent + 2 :] == three["expect"]["billing"]
        assert desk.sent(BPM)[2:] == three["expect"]["bpm"]

        made = {
            entry["domain"]: entry["createTime"]
            for body in billing(desk)[sent:]
            for entry in body
            if entry["infoType"] == "1"
        }
        desk.at(three["expect"]["at_start_clock"])
        desk.until_state(number, "active", seconds=100)
        cancelled = three["expect"]["billing_at_start"][0]
        for entry in cancelled:
            entry["createTime"] = made[entry["domain"]]
        assert billing(desk)[-1:] == [cancelled]
        assert desk.partners()["violations"] == []


def billing(desk: ProcessDesk) -> list[list[dict]]:
    return [body["productInfos"] for body in desk.sent(BILLING)]
