"""BPM's callbacks that name the process instead of the order (contract 7.1), before and after the desk knows the
process number."""

import json

import pytest

from integrations.models import BpmCallback
from integrations.partners.profile import read_profile
from tests.bpm_messages import approval, post_signed
from tests.flows.contents import activation, trial

A, X = "a.example.com", "x.example.com"


@pytest.fixture
def said(desk, settings):
    """Returns a function that posts BPM's decision about a process and returns the HTTP status."""
    settings.PARTNERS = read_profile('[bpm.callback]\nidentifies = "process"')

    def post(process, **members):
        body = approval("", process=process, result="pass", finished=True, **members)
        del body["code"]
        return post_signed(desk.client, json.dumps(body).encode()).status_code

    return post


def waiting(desk):
    desk.play(trial("T1", A), activation("A1"))
    desk.post(activation("A2", X))


def test_a_decision_about_a_known_process_acts_at_once(desk, said):
    waiting(desk)
    desk.deliver()
    assert said(desk.order("A2").bpm_process) == 200
    desk.deliver()
    assert (desk.state("A2"), desk.alive_there("A2"), BpmCallback.objects.count()) == ("active", [X], 0)


def test_a_decision_before_our_call_was_answered_acts_with_the_answer(desk, said):
    waiting(desk)
    assert said("bpm-2") == 200
    assert (desk.order("A2").decision, BpmCallback.objects.get().process) == ("", "bpm-2")
    desk.deliver()
    assert desk.order("A2").bpm_process == "bpm-2"
    assert (desk.state("A2"), desk.alive_there("A2"), desk.troubles("A2")) == ("active", [X], [])
    assert BpmCallback.objects.get().order_number == "A2"


def test_a_decision_about_a_strange_process_changes_no_order(desk, said):
    waiting(desk)
    desk.deliver()
    assert said("bpm-99") == 200
    desk.deliver()
    assert (desk.state("A2"), desk.order("A2").decision) == ("awaiting_approval", "")
