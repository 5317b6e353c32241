"""Gives each mail that a version before 1.8.0 planned as a step its own state: from here on the step is history.

What has not gone out goes out once, as a mail of today. A mail that waited for its cause needs no step: it is written
when BPM has the order, or a subsequent activation is billed. It may be stopped and run again, while workers of 1.8.0
send: orders are locked before their mails are moved, as they lock them. A mail that a worker has under
lease stays with it until that is recorded or the lease is over. A step under a newer plan counts for neither version.
"""

import json
import time
from collections import defaultdict

from django.db import migrations, transaction
from django.db.models import CharField, OuterRef, Subquery, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

BATCH = 500
LOOK_AGAIN = 1  # seconds
OPEN = ("due", "sending", "retrying")
STATES = {**{name: name for name in OPEN}, "done": "done", "failed": "failed"}  # all others are closed
CAUSES = {"mail_sent_to_bpm": "bpm", "mail_billed": "billing"}  # as today: nobody is mailed again for the same
SAME = ("about", "attempts", "tries_left", "lost", "frozen_at", "definite", "error_code", "error", "error_params")
OF_ITS_STEP = Concat(Value("step "), Cast("dispatch_id", CharField()))
OWN = ("state", "cause", "dispatch", "fate", "sent_at", "next_try_at", "lease_token")


class Carrier:
    def __init__(self, apps, alias: str):
        self.alias = alias
        self.mail, self.dispatch = apps.get_model("notifications", "Mail"), apps.get_model("orders", "Dispatch")
        self.orders = apps.get_model("orders", "Order").objects.using(alias)
        self.attempts = apps.get_model("orders", "Attempt").objects.using(alias)
        self.mails, dispatches = self.mail.objects.using(alias), self.dispatch.objects.using(alias)
        self.steps = dispatches.filter(channel="mail", superseded=False)

    def run(self) -> None:
        while self.steps.exists():  # while this runs, people may have one sent again by 1.8.0
            self.move_what_is_to_be_sent(["waiting"])
            self.move_what_is_to_be_sent(OPEN)
            self.move_what_is_over()
        self.close_what_was_replaced()

    def move_what_is_to_be_sent(self, states) -> None:
        """Ends when there is none, at the latest when the last lease is over (DISPATCH_LEASE_SECONDS)."""
        rows = self.steps.filter(state__in=states)
        while True:
            free = rows.exclude(state="sending", next_try_at__gt=timezone.now())
            found = list(free.values_list("pk", "order")[:BATCH])
            if found:
                with transaction.atomic(using=self.alias):
                    self.lock_orders({order for _pk, order in found})
                    self.move(free, [pk for pk, _order in found], state="closed", next_try_at=None, lease_token=None)
            elif rows.exists():
                time.sleep(LOOK_AGAIN)
            else:
                return

    def move_what_is_over(self) -> None:
        last, rows = 0, self.steps.exclude(state__in=["waiting", *OPEN])
        while found := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", "order")[:BATCH]):
            with transaction.atomic(using=self.alias):
                self.lock_orders({order for _pk, order in found})  # 1.8.0 may be sending a failed one again
                self.move(rows, [pk for pk, _order in found])
            last, _order = found[-1]

    def lock_orders(self, ids: set[int]) -> None:
        list(self.orders.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True).values_list("pk"))

    def close_what_was_replaced(self) -> None:
        """Mails whose steps went out of their order's plan before. What was sent is said to be sent."""
        left = self.mails.filter(state="").exclude(dispatch=None)
        while mails := list(left.select_related("dispatch").order_by("pk")[:BATCH]):
            for mail in mails:
                fill(mail, mail.dispatch, "done" if mail.dispatch.state == "done" else "closed", "")
            self.mails.bulk_update(mails, [*SAME, *OWN], batch_size=50)

    def move(self, rows, ids: list[int], **changes) -> None:
        """Hands these steps over to mails, those of them that are still among `rows` once they are locked."""
        steps = list(rows.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True))
        mails = {mail.dispatch_id: mail for mail in self.mails.filter(dispatch__in=[step.pk for step in steps])}
        told = self.mails.filter(order__in=[step.order_id for step in steps]).exclude(cause="")
        taken, new, sent, changed = set(told.values_list("order", "kind", "cause")), [], defaultdict(list), []
        for step in steps:
            state = STATES.get(step.state, "closed")
            if step.pk not in mails:
                if state == "closed":
                    continue
                new.append(self.unwritten(step))
            cause = "" if step.repeat or state == "closed" else CAUSES.get(step.step, f"step {step.pk}")
            if cause and (step.order_id, step.step, cause) in taken:
                cause = f"step {step.pk}"
            taken.add((step.order_id, step.step, cause))
            if step.pk not in mails:
                fill(new[-1], step, state, cause)
            elif state == "done" and '"got"' not in step.payload:  # nearly all
                sent[cause if cause in ["", *CAUSES.values()] else OF_ITS_STEP].append(step.pk)
            else:
                fill(mails[step.pk], step, state, cause)
                changed.append(mails[step.pk])
        self.mails.bulk_update(changed, [*SAME, *OWN], batch_size=50)
        self.mails.bulk_create(new)
        for cause, done in sent.items():
            self.say_sent(done, cause)
        left = self.attempts.filter(outcome="", dispatch__in=[step.pk for step in steps])  # a worker died over them
        left.update(outcome="lost", finished_at=timezone.now(), error="the worker died or lost its lease")
        self.dispatch.objects.using(self.alias).filter(pk__in=[step.pk for step in steps]).update(
            superseded=True, **changes
        )

    def say_sent(self, ids: list[int], cause) -> None:
        """The same for mails that went out to all, in one statement."""
        steps = self.dispatch.objects.using(self.alias).filter(pk=OuterRef("dispatch_id"))
        said = {name: Subquery(steps.values(name)) for name in SAME} | {"sent_at": Subquery(steps.values("done_at"))}
        self.mails.filter(dispatch__in=ids).update(state="done", cause=cause, dispatch=None, **said)

    def unwritten(self, step):
        """A mail that was never tried gets its text and recipients at its first attempt."""
        message_id = f"<{step.key}@ibs-order-desk>"
        return self.mail(order_id=step.order_id, kind=step.step, message_id=message_id, written_at=step.created_at)


def fill(mail, step, state: str, cause: str) -> None:
    """Gives a mail what its step says, unsaved. 1.8.0 shows a closed one by its step."""
    for name in SAME:
        setattr(mail, name, getattr(step, name))
    mail.state, mail.cause = state, cause
    mail.dispatch = step if state == "closed" else None
    sent = json.loads(step.payload or "{}")
    mail.fate = {name: sent[name] for name in ("from", "got", "refused") if name in sent}
    mail.sent_at = step.done_at if state == "done" else None
    mail.next_try_at = step.next_try_at if state in OPEN else None
    mail.lease_token = step.lease_token if state == "sending" else None


def carry(apps, schema_editor) -> None:
    Carrier(apps, schema_editor.connection.alias).run()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0058_event_of_actor"), ("notifications", "0013_notice_unused")]
    operations = [migrations.RunPython(carry, migrations.RunPython.noop)]
