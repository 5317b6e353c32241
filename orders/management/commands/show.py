"""`show ORDER [--json]`: where an order stands (contract section 5)."""

import json

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from orders.models import Dispatch, Order
from orders.reading import standing, waits_for
from orders.services.breakers import partners_down
from orders.services.incidents import PARTNERS


class Command(BaseCommand):
    """Prints an order's state, why it is so, its steps, billing records, approvals and incidents."""

    help = "Tells where an order stands."

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        parser.add_argument("--json", action="store_true", help="as JSON, for programs")

    def handle(self, *args, order, **options):
        found = Order.objects.filter(number=order).first()
        if found is None:
            raise CommandError(f"order {order} is unknown")
        facts = standing(found)
        if options["json"]:
            self.stdout.write(json.dumps(facts, ensure_ascii=False, indent=2))
            return
        with override("en"):
            self.stdout.write("\n".join(self.lines(found, facts)))

    def lines(self, order: Order, facts: dict) -> list[str]:
        """The same for a person at a terminal."""
        role = {True: " (first)", False: " (subsequent)", None: ""}[facts["first"]]
        lines = [
            f"{facts['order']}  {order.get_kind_display()}{role}  {order.get_state_display()}",
            f"  attribution {facts['attribution'] or '-'}, start {facts['start'] or '-'}"
            f", BPM process {facts['bpm_process'] or '-'}",
        ]
        if order.trial:
            lines.append(f"  trial {order.trial.number} ({order.trial.get_state_display()})")
        if facts["held_because"]:
            lines.append(f"  held because {order.get_held_because_display()} ({facts['held_because']})")
        lines += [
            f"  incident {row['partner']} {row['step']} {row['code']}: {row['detail']}" for row in facts["incidents"]
        ]
        lines += [f"  waits for {name}" for name in waits_for(order)]
        waiting = {PARTNERS[row["channel"]] for row in facts["steps"] if row["status"] in {"due", "retrying"}}
        lines += [f"  partner {name} is down; its calls wait" for name in sorted(waiting & partners_down())]
        lines += [self.step(row) for row in facts["steps"]]
        lines += [f"  record  {row['infoType']} {row['domain']:40} {row['state']}" for row in facts["billing"][:20]]
        if len(facts["billing"]) > 20:
            lines.append(f"  record  ... {len(facts['billing']) - 20} more (--json lists all)")
        lines += [
            f"  approval {row['time']} {row['node']} {row['result']} {row['operator']}" for row in facts["approvals"]
        ]
        if facts["schedule"]:
            lines.append(f"  schedule {facts['schedule']['name']} at {facts['schedule']['next_run']}")
        return lines

    def step(self, row: dict) -> str:
        """One step on one line: state, attempts, next try, last error."""
        name = Dispatch.Step(row["name"]).label
        more = f", next try {row['next_try']}" if row["next_try"] and row["status"] != "done" else ""
        error = f" — {row['error']}" if row["error"] else ""
        return f"  step    {row['status']:9} {name} ({row['attempts']} attempts{more}){error}"
