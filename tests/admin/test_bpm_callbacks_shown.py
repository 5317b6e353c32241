"""The list of the BPM callbacks that the desk kept: who may see it, what is masked, and its filters (contract 3.6,
7.2).
"""

import json

import pytest
from django.test import Client

from integrations.models import BpmCallback
from integrations.partners.profile import read_profile
from orders.lists.registration import Role
from tests.approvals.conftest import make_order
from tests.bpm_messages import approval, post_signed

NUMBER = "100A230920170127001"
RECORD = approval(NUMBER)
pytestmark = pytest.mark.django_db


@pytest.fixture
def refused(settings):
    make_order(NUMBER)
    settings.PARTNERS = read_profile('[bpm.callback]\nrename = { "doneBy" = "operator" }')
    said = {name: value for name, value in RECORD.items() if name != "operator"} | {"doneBy": "张三丰", "result": "x"}
    assert post_signed(Client(), json.dumps(said, ensure_ascii=False).encode()).status_code == 400
    return BpmCallback.objects.get()


@pytest.mark.parametrize("role", Role)
def test_each_role_reads_the_list_and_the_page(member, refused, role):
    client = member(role)
    listed = client.get("/admin/integrations/bpmcallback/").content.decode()
    assert "BPM 回调" in listed
    assert "must be one of pass, reject, return" in listed
    assert "无法读取：有字段不对。" in listed
    page = client.get(f"/admin/integrations/bpmcallback/{refused.pk}/change/").content.decode()
    assert NUMBER in page
    assert "张三丰" not in page
    assert client.post("/admin/integrations/bpmcallback/add/").status_code == 403


def test_it_stands_among_the_traces(member):
    sections = member(Role.ENGINEER).get("/admin/").context["available_apps"]
    (traces,) = [section for section in sections if str(section["name"]) == "运行痕迹"]
    assert "BPM 回调" in {str(entry["name"]) for entry in traces["models"]}


def test_who_may_opens_peoples_data_and_it_is_noted(member, refused):
    page = member(Role.BUSINESS).get(f"/admin/integrations/bpmcallback/{refused.pk}/change/?personal=1")
    assert "张三丰" in page.content.decode()


@pytest.mark.parametrize("answer, found", [("refused", 1), ("caller", 0), ("waiting", 0), ("applied", 0)])
def test_the_filter_of_answers(member, refused, answer, found):
    page = member(Role.ENGINEER).get("/admin/integrations/bpmcallback/", {"answer": answer})
    assert page.context["cl"].result_count == found


def test_who_is_limited_to_another_attribution_sees_none(client, refused, django_user_model):
    person = django_user_model.objects.create_superuser("limited", password="x")
    person.limited = True
    person.save()
    client.force_login(person)
    assert client.get("/admin/integrations/bpmcallback/").context["cl"].result_count == 0
