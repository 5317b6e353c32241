"""Big data and BPM in a dialect: addresses, headers, answers, names (contract 7.1, 7.2)."""

import pytest

BOTH = "[bigdata.answer]\n{0}\n[bpm.answer]\n{0}"
DIALECTS = {
    "success is 0": BOTH.format("success = [{ code = [0] }]"),
    'success is "0000"': BOTH.format('success = [{ retCode = ["0000"] }]\nrefused = [{ retCode = ["*"] }]'),
    "success: true": BOTH.format("success = [{ success = [true] }]\nrefused = [{ success = [false] }]"),
    "nested text": BOTH.format('unwrap = ["result"]'),
    "nested text within an object": BOTH.format(
        'unwrap = ["data"]\nsuccess = [{ "head.code" = ["ok"] }]\nmessage = ["head.text"]'
    ),
    "empty 204": """
        [bigdata]
        post.answer.success = [{ status = [204], empty = [true] }]
        delete.answer.success = [{ status = [204], empty = [true] }]
        [bpm.answer]
        success = [{ status = [204], empty = [true] }]
        """,
    "GBK": '[bigdata]\ncharset = "gbk"\n[bpm]\ncharset = "gb18030"',
}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_cases_go_through_with_the_profile(desk_of, name):
    desk = desk_of(DIALECTS[name], DIALECTS[name])
    desk.play_cases()
    desk.check_books()


@pytest.mark.parametrize("name", DIALECTS)
def test_without_it_nothing_is_harmed_and_the_lines_of_the_incident_make_it_go_on(desk_of, name):
    desk = desk_of(DIALECTS[name])
    desk.play_cases(heed=desk.take_lines)
    desk.check_books()
