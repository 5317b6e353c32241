"""The sandbox's big-data side over HTTP: create, cancel, delete, query and traffic, and what it refuses (contract
section 3.3).
"""

import json

import pytest
import requests

from tests.sandbox.bodies import DELETE, DONE, FLOW, PUT, QUERY, RECORD, names, post, records


def held(sandbox, job=RECORD["jobId"]):
    return post(sandbox, QUERY, {"jobId": job}).json()["result"]


def test_a_record_is_created_cancelled_and_deleted(sandbox):
    assert post(sandbox, PUT, records()).json() == DONE
    assert held(sandbox) == [RECORD]
    cancelled = {"cancelStatus": "2", "cancelTime": "20230921000000", "domain": RECORD["domain"].upper()}
    assert post(sandbox, PUT, records(cancelled)).json() == DONE
    assert held(sandbox) == [{**RECORD, **cancelled}]
    assert sandbox.state()["counts"]["cancelled"] == 1
    assert post(sandbox, DELETE, names(RECORD)).json() == DONE
    assert held(sandbox) == []


def test_a_domain_and_its_form_in_ascii_name_one_record(sandbox):
    post(sandbox, PUT, records({"domain": "bücher.cn"}, {"domain": "xn--bcher-kva.cn"}))
    assert [record["domain"] for record in held(sandbox)] == ["xn--bcher-kva.cn"]


def test_deleting_what_is_not_there_is_done_and_a_cancel_of_it_makes_a_cancelled_record(sandbox):
    assert post(sandbox, DELETE, names(RECORD)).json() == DONE
    assert sandbox.state()["counts"]["deleted"] == 0
    assert post(sandbox, PUT, records({"cancelStatus": "2"})).json() == DONE
    assert sandbox.state()["counts"]["cancelled"] == 1


def test_a_strict_partner_refuses_to_cancel_what_is_not_there(sandbox):
    assert requests.post(f"{sandbox.url}/strict", json={"strict": True}, timeout=5).json() == {"strict": True}
    post(sandbox, PUT, records({"domain": "b.example.com"}))
    cancels = records({"domain": "B.example.com", "cancelStatus": "2"}, {"cancelStatus": "2"})
    answer = post(sandbox, PUT, cancels)
    assert (answer.status_code, answer.json()["code"]) == (200, 400)
    assert answer.json()["message"].startswith("productInfos[1]: ")
    assert sandbox.state()["counts"]["cancelled"] == 0
    assert requests.post(f"{sandbox.url}/strict", json={"strict": "x"}, timeout=5).status_code == 400


def test_a_query_sees_only_its_job_in_which_records_of_two_products_stand_side_by_side(sandbox):
    post(sandbox, PUT, records({"jobId": "A"}, {"jobId": "B"}, {"jobId": "B", "domain": "b.example.com"}))
    assert [record["domain"] for record in held(sandbox, "B")] == [RECORD["domain"], "b.example.com"]
    post(sandbox, PUT, records({"productId": "1"}, {"productId": "4"}))
    assert len(held(sandbox)) == 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_cases_are_taken(sandbox, case, number):
    expected = case(number)["expect"]
    for entries in expected.get("billing") or expected["billing_after_approval"]:
        assert post(sandbox, PUT, {"productInfos": entries}).json() == DONE


@pytest.mark.parametrize("member", RECORD)
def test_each_member_is_required_and_a_string(sandbox, member):
    answer = post(sandbox, PUT, records({}, {member: None}))
    assert answer.status_code == 200
    assert answer.json() == {"code": 400, "message": f"{member}: 缺少（productInfos[1].{member}）"}
    assert post(sandbox, PUT, records({member: 1})).json()["message"].startswith(f"{member}: 应为字符串")
    assert sandbox.state()["records"] == []


@pytest.mark.parametrize(
    "change, message",
    [
        ({"createTime": "20230230000000"}, "createTime: 不是 YYYYMMDDHHMMSS 格式的有效时间"),
        ({"createTime": "2023-09-20 18:54:36"}, "createTime: 不是"),
        ({"cancelTime": "20230920"}, "cancelTime: 不是"),
        ({"cancelTime": "20230920245959"}, "cancelTime: 不是"),
        ({"cancelStatus": "3"}, "cancelStatus: 应为 1、2 之一"),
        ({"infoType": "0"}, "infoType: 应为 1、2 之一"),
        ({"domain": " "}, "domain: 不能为空"),
        ({"createTime ": "20230920185436"}, "createTime : 字段名首尾有空格"),
        ({"extra": "1"}, "extra: 未知字段"),
    ],
)
def test_a_bad_member_is_named(sandbox, change, message):
    answer = post(sandbox, PUT, records(change)).json()
    assert answer["code"] == 400
    assert answer["message"].startswith(message)


@pytest.mark.parametrize(
    "body, message",
    [
        (b"{", "body: 不是 UTF-8 编码的 JSON"),
        (b'{"productInfos": "\\ud800"}', "body: 不是 UTF-8 编码的 JSON"),
        (b"[]", "body: 应为 JSON 对象"),
        (b'{"productInfos": NaN}', "body: 不接受 NaN"),
        (b'{"productInfos": [], "productInfos": []}', "productInfos: 成员重复"),
        ({"productInfos": []}, "productInfos: 至少要有 1 项"),
        ({"productInfos": {}}, "productInfos: 应为列表"),
        ({}, "productInfos: 缺少"),
    ],
)
def test_a_bad_body_is_named(sandbox, body, message):
    assert post(sandbox, PUT, body).json() == {"code": 400, "message": message}


def test_traffic_comes_encoded_twice(sandbox):
    trial = {"enterpriseId": "E", "productId": "1", "jobId": "T"}
    answer = post(sandbox, FLOW, {"productInfos": [trial]}).json()
    assert list(answer) == ["result"]
    assert answer["result"].startswith(
        '{"code":200,"message":"成功","result":[{"enterpriseId":"E","productId":"1","dat'
    )
    assert json.loads(answer["result"])["result"] == [{**trial, "dataflow": 0.0}]
    sandbox.flow("T", 12.5, plain=True)  # the traffic can be set, and can be sent without the double encoding
    assert post(sandbox, FLOW, {"productInfos": [trial]}).json() == {**DONE, "result": [{**trial, "dataflow": 12.5}]}


def test_traffic_answers_like_the_documents(sandbox, case):
    trial = {"enterpriseId": "100A23100079275183", "productId": "1", "jobId": "100A230920170122001"}
    assert post(sandbox, FLOW, {"productInfos": [trial]}).json() == case(1)["expect"]["trial_flow"]["answer"]
