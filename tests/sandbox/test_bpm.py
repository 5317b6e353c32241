"""The sandbox's BPM over HTTP: both forms of starting a flow, and what it refuses (contract section 3.4)."""

import pytest

from tests.sandbox.bodies import START, post, with_member

INNER = ("data", "tyywrwlcdx")


@pytest.fixture
def first(case):
    return case(1)["expect"]["bpm"][0]


@pytest.fixture
def subsequent(case):
    return case(2)["expect"]["bpm"][0]


def test_both_forms_start_a_process(sandbox, first, subsequent):
    started = [post(sandbox, START, body).json() for body in (first, subsequent)]
    assert started == [
        {"code": 200, "message": "成功", "result": {"processId": "bpm-1"}},
        {"code": 200, "message": "成功", "result": {"processId": "bpm-2"}},
    ]
    processes = sandbox.state()["processes"]
    assert [process["code"] for process in processes] == ["100A230920170126001", "100A230920170127001"]
    assert processes[1]["body"] == subsequent


def refusal(sandbox, body):
    answer = post(sandbox, START, body)
    assert answer.status_code == 200
    assert answer.json()["code"] == 400
    assert sandbox.state()["processes"] == []
    return answer.json()["message"]


def test_each_member_of_the_first_form_is_required(sandbox, first):
    for name in first["data"]["tyywrwlcdx"]:
        assert refusal(sandbox, with_member(first, (*INNER, name), ...)).startswith(f"{name}: 缺少")
    for name in ("accessSystem", "account", "data"):
        assert refusal(sandbox, with_member(first, (name,), ...)) == f"{name}: 缺少"


def test_each_member_of_the_subsequent_form_is_required(sandbox, subsequent):
    for name in subsequent["data"]:
        assert refusal(sandbox, with_member(subsequent, ("data", name), ...)).startswith(f"{name}: 缺少")
    for name in set(subsequent) - {"processType"}:
        assert refusal(sandbox, with_member(subsequent, (name,), ...)) == f"{name}: 缺少"
    assert refusal(sandbox, with_member(subsequent, ("processType",), ...)).startswith("flowKey: 缺少")


@pytest.mark.parametrize(
    "number, path, value, message",
    [
        (1, ("flowKey",), "other", "flowKey: 应为 tyywrwlc 之一"),
        (1, (*INNER, "businessStartTime"), "20230920185436", "businessStartTime: 不是 YYYY-MM-DD HH:MM:SS"),
        (1, (*INNER, "businessStartTime "), "2023-09-20 18:54:36", "businessStartTime : 字段名首尾有空格"),
        (1, (*INNER, "domains"), "a.example.com", "domains: 应为列表"),
        (1, (*INNER, "domains"), [], "domains: 至少要有 1 项"),
        (1, (*INNER, "plains"), [0], "plains[0]: 应为字符串"),
        (1, (*INNER, "code"), "", "code: 不能为空"),
        (1, (*INNER, "operTel"), None, "operTel: 应为字符串"),
        (2, ("processType",), 2, "processType: 应为字符串"),
        (2, ("data", "numberOfDoamin"), "1", "numberOfDoamin: 应为整数"),
        (2, ("data", "numberOfDoamin"), True, "numberOfDoamin: 应为整数"),
        (2, ("data", "numberOfDoamin"), 99, "numberOfDoamin: 与 domains 的个数不符"),
        (2, ("data", "filelist"), ["a.xlsx"], "filelist[0]: 应为对象"),
        (2, ("data", "filelist"), [{"name": ""}], "name: 不能为空"),
        (2, ("userList",), [{"userMail": "", "userName": ""}], "userTel: 缺少"),
    ],
)
def test_a_bad_member_of_either_form_is_named(sandbox, case, number, path, value, message):
    form = case(number)["expect"]["bpm"][0]
    assert refusal(sandbox, with_member(form, path, value)).startswith(message)


def test_an_order_without_operator_and_files_is_taken(sandbox, subsequent):
    for name in ("operMail", "operTel", "operUser", "cpId"):
        subsequent["data"][name] = ""
    subsequent["data"]["filelist"] = subsequent["userList"] = []
    assert post(sandbox, START, subsequent).json()["code"] == 200
