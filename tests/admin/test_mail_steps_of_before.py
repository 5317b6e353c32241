"""Versions before 1.8.0 planned mails as steps. These steps and their attempts are kept as replaced steps, and pages
show them.
"""

import json

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from orders.models import Attempt, Dispatch
from tests import factories as make

pytestmark = pytest.mark.django_db
STEP = "mail_sent_to_bpm"


def test_their_steps_and_attempts_are_still_shown(admin_client):
    order = make.OrderFactory(number="A1")
    payload = json.dumps({"subject": "工单", "body": "正文", "to": ["sa@example.com"]})
    about = {"order": order, "step": STEP, "channel": "mail", "superseded": True, "attempts": 1, "payload": payload}
    about["frozen_at"] = timezone.now()
    states = ("done", "failed", "closed")
    rows = [make.DispatchFactory(**about, position=place, state=state) for place, state in enumerate(states, 3)]
    for row in rows:
        make.AttemptFactory(dispatch=row, outcome="refused", error="smtp_554: no")
    begun = timezone.localdate(Attempt.objects.first().started_at)
    pages = [reverse("admin:orders_order_change", args=[order.pk])]
    pages += [reverse(f"admin:{name}_changelist") for name in ("orders_dispatch", "orders_attempt")]
    pages += [reverse("admin:calls") + f"?day={begun}"]
    pages += [reverse("admin:orders_dispatch_change", args=[row.pk]) for row in rows]
    pages += [reverse("admin:orders_attempt_change", args=[row.pk]) for row in Attempt.objects.all()]
    answers = {page: admin_client.get(page) for page in pages}
    assert {page: answer.status_code for page, answer in answers.items() if answer.status_code != 200} == {}
    with override("zh-hans"):
        name = str(Dispatch.Step(STEP).label)
    assert all(answers[page].content.decode().count(name) >= 3 for page in pages[1:3])
    assert name in answers[pages[3]].content.decode()
