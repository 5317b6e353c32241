"""BPM's callbacks differ from the default in names, values, times or checks, or name the process and not the order.

Also tests files that end in .xls.
"""

import pytest

from approvals.models import ApprovalRecord
from integrations.models import BpmCallback
from tests.files.books import old_book, write

DIALECTS = {  # lines of [bpm.callback], the HTTP status without them
    "wrapped": ('rename = { "processInstance.bizKey" = "code", "processInstance.status" = "result" }', 400),
    "words": ('pass = ["通过"]\nreject = ["驳回"]\nreturn = ["退回"]', 400),
    "numbers": ("pass = [1]\nreject = [0]\nreturn = [2]", 400),
    '"true"': ('finished = ["true"]\nunfinished = ["false"]', 400),
    "no finished": ("finished_absent = true", 400),
    "no record id": ('record_id_absent = "hash"', 400),
    "ISO times": ('time_formats = ["%Y-%m-%dT%H:%M:%S%z"]', 400),
    "milliseconds": ('time_formats = ["epoch_ms"]', 400),
    "a token header": ('check = "token"\nheader = "X-Token"', 401),
    "no check but the address": ('check = "addresses"', 401),
    "the process for the order": ('identifies = "process"\nrename = { "instance.id" = "process" }', 400),
    "another address": ('paths = ["/ibs/bpm/callback"]', 404),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_callback_is_kept_out_without_the_profile_and_taken_with_it(desk_of, settings, name):
    lines, status = DIALECTS[name]
    desk = desk_of(f"[bpm.callback]\n{lines}")
    settings.BPM_ALLOWED_IPS = ["127.0.0.1"] if "addresses" in lines else []
    number = desk.cases[1]["content"]["OrderNum"]

    def told(callback) -> int:
        assert callback() == status
        desk.deliver()
        assert (desk.state(number), ApprovalRecord.objects.count()) == ("awaiting_approval", 0)
        kept = [row.http_status for row in BpmCallback.objects.all()]
        assert kept == ([status] if status != 404 else [])
        desk.know(desk.their_lines)
        return callback()

    desk.play_cases(told=told)
    desk.check_books()
    assert (ApprovalRecord.objects.count(), ApprovalRecord.objects.get().result) == (1, "pass")


def test_a_process_that_the_desk_learns_later_is_waited_for(desk_of, settings):
    """BPM starts a process and its answer is lost. BPM's people decide before the desk asks BPM again.

    The decision is recorded once the desk knows the process.
    """
    lines = '[bpm.callback]\nidentifies = "process"'
    desk = desk_of(lines, lines)
    one, two, _three = desk.cases
    desk.at(one["clock_setup"])
    desk.go_on(one["setup"][0])
    desk.at(one["clock"])
    desk.sandbox.fault("/bpm/flows/start", "reset_after")
    desk.go_on(one["content"])
    number = one["content"]["OrderNum"]
    assert desk.callback(number, "pass")() == 200
    assert not ApprovalRecord.objects.exists()
    desk.wait_out()
    assert ApprovalRecord.objects.get().order.number == number
    assert desk.state(number) == "active"
    desk.check_no_harm()


def test_files_that_end_in_xls(desk_of, settings):
    lines = '[files]\nextensions = [".xlsx", ".xls"]'
    desk = desk_of(lines)
    two = desk.cases[1]
    for name in two["files"]:
        write(settings.ATTACHMENT_DIR, name.replace(".xlsx", ".xls"), old_book())
    files = two["expect"]["bpm"][0]["data"]["filelist"]
    two["expect"]["bpm"][0]["data"]["filelist"] = [{"name": one["name"].replace(".xlsx", ".xls")} for one in files]

    def heed():
        if desk.knows(number := two["content"]["OrderNum"]) and desk.state(number) == "held":
            assert desk.troubles(number) == ["bad_name"]
            desk.know(lines)
            desk.command("check_attachments", number)

    desk.play_cases(lambda content: {key: _old(one) for key, one in content.items()}, heed)
    desk.check_books()
    assert desk.file.read_text() == lines


def _old(value):
    return value.replace(".xlsx", ".xls") if isinstance(value, str) else value
