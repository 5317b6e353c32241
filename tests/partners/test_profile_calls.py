"""The profile of partners decides how calls go out (contract 7.1): addresses, headers, key, names, charsets, flows."""

import datetime
import json

import pytest
from requests.structures import CaseInsensitiveDict

from integrations.bigdata import billing_record_fields as fields
from integrations.bigdata import client as bigdata
from integrations.bpm.bpm_steps import start_flow
from integrations.bpm.start_payload import FlowFacts, first_activation, subsequent_activation
from integrations.outbound import http_client
from integrations.outbound.failure_classification import PartnerError
from integrations.partners.answers import lines_for
from integrations.partners.calls import call_of, rename_paths
from integrations.partners.profile import Answer, ProfileError, read_profile
from integrations.partners.profile_requirements import check_secrets
from tests.factories import NOW

FACTS = {
    **{"number": "A1", "domains": ["a.cn"], "cdn_type": "web", "plains": ["0"], "enterprise_name": "云海"},
    **{"oper_user": "张", "oper_tel": "1", "oper_mail": "x@y.cn", "prod_type": "1", "province_letters": "GD"},
    **{"at": NOW, "start": NOW + datetime.timedelta(days=1), "cp_id": "80171614"},
}
CALL = {"key": "key-1", "request_id": "0" * 32}


@pytest.fixture
def wire(monkeypatch):
    """Returns the list of the requests that went out. `wire.answer` is the answer to each request: status, headers,
    bytes."""

    class Wire(list):
        answer = (200, {}, b'{"code": 200, "result": []}')

    wire = Wire()

    def exchange(request, timeout, most):
        wire.append(request)
        status, headers, body = wire.answer
        return status, CaseInsensitiveDict(headers), body

    monkeypatch.setattr(http_client, "_exchange", exchange)
    return wire


def speak(settings, text):
    settings.PARTNERS = read_profile(text)


def test_the_defaults_call_as_before(wire, settings):
    settings.BIGDATA_BASE_URL, settings.BPM_BASE_URL = "http://big.test/b/", "http://bpm.test"
    bigdata.post_product_infos(b"{}", **CALL)
    bigdata.delete_product_infos(b"{}", **CALL)
    bigdata.query_product_infos("T1", **CALL)
    bigdata.query_trial_flow(b"{}", **CALL)
    start_flow(b"{}", **CALL)
    assert [call.url for call in wire] == [
        "http://big.test/b/productInfos",
        "http://big.test/b/productInfos/delete",
        "http://big.test/b/productInfos/query",
        "http://big.test/b/trialFlow/query",
        "http://bpm.test/flows/start",
    ]
    assert {call.headers["Idempotency-Key"] for call in wire} == {"key-1"}
    assert wire[2].body == b'{"jobId":"T1"}'


def test_addresses_headers_and_the_keys_header_are_the_profiles(wire, settings, monkeypatch):
    monkeypatch.setenv("BIGDATA_TOKEN", "s3cret")
    settings.BIGDATA_BASE_URL = "http://big.test"
    speak(
        settings,
        """
        [bigdata]
        headers = { Authorization = "Bearer ${BIGDATA_TOKEN}", X-System = "IBS" }
        key_header = "X-Biz-No"
        post.path = "/v2/records?from=ibs"
        query.path = "https://other.test/ask"
        [bpm]
        key_header = ""
        repeats = "ask"
        """,
    )
    bigdata.post_product_infos(b"{}", **CALL)
    bigdata.query_product_infos("T1", **CALL)
    start_flow(b"{}", **CALL)
    assert [call.url for call in wire[:2]] == ["http://big.test/v2/records?from=ibs", "https://other.test/ask"]
    sent = wire[0].headers
    assert (sent["Authorization"], sent["X-System"], sent["X-Biz-No"]) == ("Bearer s3cret", "IBS", "key-1")
    assert "Idempotency-Key" not in {**sent, **wire[2].headers}
    assert "Authorization" not in wire[2].headers


def test_a_variable_that_the_environment_lacks_is_named(settings, monkeypatch):
    profile = read_profile('[bpm]\nheaders = { Authorization = "Basic ${BPM_TOKEN}" }')
    monkeypatch.delenv("BPM_TOKEN", raising=False)
    with pytest.raises(ProfileError, match="BPM_TOKEN is not set"):
        check_secrets(profile, {})
    check_secrets(profile, {"BPM_TOKEN": "x"})


def test_a_call_is_made_once_for_a_profile(settings):
    assert call_of("bigdata.post") is call_of("bigdata.post")
    before = call_of("bigdata.post")
    speak(settings, '[bigdata]\npost.path = "/other"')
    assert call_of("bigdata.post") is not before


def test_members_of_records_have_the_partners_names_and_are_read_back(wire, settings):
    speak(settings, '[bigdata]\nrename = { enterpriseId = "custId", jobId = "orderNo" }')
    record = fields.RecordFacts(job_id="T1", product_id="1", domain="a.cn", info_type="1", enterprise_id="E1")
    assert fields.deletion_body([record])["productInfos"] == [
        {"orderNo": "T1", "productId": "1", "domain": "a.cn", "custId": "E1", "infoType": "1"}
    ]
    wire.answer = (
        200,
        {},
        b'{"code": 200, "result": [{"orderNo": "T1", "custId": "E1", "domain": "a.cn", "productId": "1"}]}',
    )
    assert bigdata.query_product_infos("T1", **CALL) == [
        {"jobId": "T1", "enterpriseId": "E1", "domain": "a.cn", "productId": "1"}
    ]
    assert wire[0].body == b'{"orderNo":"T1"}'


@pytest.mark.parametrize("headers, charset", [({}, "gbk"), ({"Content-Type": "text/plain; charset=GBK"}, "utf-8")])
def test_an_answer_is_read_in_the_charset_that_it_names_or_the_partners(wire, settings, headers, charset):
    speak(settings, f'[bpm]\ncharset = "{charset}"')
    wire.answer = (200, headers, '{"code": 400, "message": "域名未备案"}'.encode("gbk"))
    with pytest.raises(PartnerError) as refused:
        start_flow(b"{}", **CALL)
    assert refused.value.params["words"] == "域名未备案"


def test_flows_constants_and_times_are_the_profiles(settings):
    speak(
        settings,
        """
        [bpm]
        flow_by_attribution = { GD = "gdywlc" }
        process_type = "7"
        constants = { account = "CDN" }
        time_format = "%Y/%m/%d"
        """,
    )
    first = first_activation(FlowFacts(**FACTS))
    assert (first["flowKey"], list(first["data"]), first["account"]) == ("gdywlc", ["gdywlcdx"], "CDN")
    assert first["data"]["gdywlcdx"]["businessStartTime"] == f"{NOW + datetime.timedelta(days=1):%Y/%m/%d}"
    assert first["accessSystem"] == "IBS"
    other = FlowFacts(**FACTS | {"province_letters": "BJ"})
    assert first_activation(other)["flowKey"] == "tyywrwlc"
    assert subsequent_activation(other)["processType"] == "7"


def test_members_of_a_flow_move_by_their_paths():
    body = {"code": "A1", "data": {"cpId": "8", "domains": []}}
    moved = rename_paths(body, {"data.cpId": "data.cpid", "code": "biz.key", "data.none": "x"})
    assert json.dumps(moved) == json.dumps({"data": {"domains": [], "cpid": "8"}, "biz": {"key": "A1"}})


USUAL = "bpm.answer.success = [{ code = [200] }, "


@pytest.mark.parametrize(
    "answer, line",
    [
        ({"code": 0, "status": "x"}, USUAL + "{ code = [0] }]"),
        ({"msg": "成功", "success": True}, USUAL + "{ success = [true] }]"),
        ({"head": {"code": "ok"}, "msg": "成功"}, USUAL + '{ "head.code" = ["ok"] }]'),
        ({"msg": "成功", "result": {"processId": "7"}}, USUAL + '{ msg = ["成功"] }]'),
        ({"msg": "成功", "result": '{"code": 200}'}, 'bpm.answer.unwrap = ["result"]'),
        ({"code": 0, "data": '{"code": 200}'}, USUAL + "{ code = [0] }]"),
        ({"result": {"processId": "7"}}, ""),
    ],
)
def test_the_line_that_reads_an_answer_as_a_success(answer, line):
    raw = json.dumps(answer, ensure_ascii=False).encode()
    assert lines_for("bpm", Answer(), status=200, raw=raw, charset="utf-8")[0] == line
