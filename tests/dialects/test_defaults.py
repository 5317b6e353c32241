"""Without a profile, the desk's calls are as they were before there were profiles.

With a profile, they may differ from the default in all ways at once.
"""

import pathlib

from tests.dialects.conftest import whole_text, without

THREE_CASES = pathlib.Path(__file__).parent.parent / "partners" / "golden" / "three_cases.txt"
MIXED = """
[bboss]
paths = ["/IBS/receiveOrder"]
content_types = ["application/x-www-form-urlencoded"]
form_member = "msg"
charsets = ["gb18030"]
time_formats = ["%Y-%m-%d %H:%M:%S"]
day_formats = ["%Y-%m-%d"]
kind_absent = "members"
rename = { reqSign = "sign", data = "content", "data.CustName" = "content.EnterpriseName" }
reply = { charset = "gbk", result = "object" }
[bboss.sign]
methods = ["hmac-sha256"]
pair = "{name}={value}"
between = "&"
text = "{pairs}&key={secret}"
charset = "body"
[bigdata]
headers = { Authorization = "Bearer ${BIGDATA_TOKEN}" }
key_header = "X-Request-No"
charset = "gbk"
post.path = "/v2/records?from=ibs"
rename = { enterpriseId = "custId", dataflow = "flow" }
[bigdata.answer]
success = [{ retCode = ["0000"] }]
refused = [{ retCode = ["*"] }]
message = ["retMsg"]
[bpm]
key_header = ""
repeats = "ask"
flow_by_attribution = { BJ = "bjywlc" }
time_format = "%Y/%m/%d %H:%M:%S"
rename = { "data.cpId" = "data.cpid" }
[bpm.answer]
unwrap = ["result"]
success = [{ success = [true] }]
refused = [{ success = [false] }]
process = ["data.id"]
[bpm.callback]
paths = ["/ibs/bpm/callback"]
check = "token"
header = "X-Token"
identifies = "process"
rename = { "instance.id" = "process", "instance.status" = "result" }
pass = ["通过"]
finished_absent = true
record_id_absent = "hash"
time_formats = ["%Y-%m-%dT%H:%M:%S%z"]
"""


def test_each_byte_is_what_it_was_before_there_were_profiles(desk_of):
    """Without a profile, the desk's calls have the same bytes as before there were profiles.

    Version 1.10.0 wrote the file with the expected bytes.
    """
    desk = desk_of("")
    desk.play_cases()
    desk.check_books()
    sent = whole_text(desk.sandbox.partners.store)
    looked_up = [line for line in sent if line.startswith("/bigdata/productInfos/query ")]
    before = THREE_CASES.read_text(encoding="utf-8").splitlines()
    assert sorted(line for line in sent if line not in looked_up) == sorted(before)  # the calls are parallel


def test_all_at_once(desk_of, monkeypatch):
    monkeypatch.setenv("BIGDATA_TOKEN", "bigdata-s3cret")
    desk = desk_of(MIXED, MIXED)
    desk.play_cases(lambda content: without(content, "OrderType"))
    desk.check_books()
