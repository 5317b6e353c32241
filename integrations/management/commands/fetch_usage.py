"""`fetch_usage [ORDER...]`: queries the big-data side for the traffic of trials (contract section 5)."""

import json
import uuid

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.bigdata.client import query_trial_flow, trial_flow_query
from integrations.outbound import partner_rate
from integrations.outbound.failure_classification import PartnerError
from orders.management.progress import Progress
from orders.models import Order
from orders.pauses.paused_steps import why_paused
from orders.sending.trial_traffic import store_usage
from orders.trials.trial_state_reads import shape_of


class Command(BaseCommand):
    """Queries immediately and stores the answers. No Dispatch is created, because no other step waits for the
    answers."""

    help = "Asks for the traffic of the named trials, or of all that run."

    def add_arguments(self, parser):
        parser.add_argument("order", nargs="*", help="trial numbers; none: all running trials")

    def handle(self, *args, order, **options):
        if not settings.PARTNERS.bigdata.traffic.path:
            raise CommandError("nothing was asked: the profile has no bigdata.traffic (its path is empty)")
        trials = Order.objects.filter(kind=Order.Kind.TRIAL)
        if order:
            trials = trials.filter(number__in=order)
            unknown = sorted(set(order) - set(trials.values_list("number", flat=True)))
            if unknown:
                raise CommandError(f"no such trial: {', '.join(unknown)}")
        else:
            trials = trials.filter(state=Order.State.TRIALING)
        if why := why_paused("bigdata", now=timezone.now()):
            raise CommandError(f"nothing was asked: {why}")
        asked = []
        with Progress(self.stderr, "trials", trials.count) as bar:
            for trial in trials.iterator():
                answered, sentence = self.ask(trial)
                with bar.aside():
                    self.stdout.write(f"{trial.number}: {sentence}")
                asked.append(answered)
                bar.update()
        if not asked:
            self.stdout.write("no trial runs: nothing to ask")
        failed = asked.count(False)
        if failed:
            raise CommandError(f"{failed} not answered")

    def ask(self, trial: Order) -> tuple[bool, str]:
        body = trial_flow_query(
            enterprise_id=trial.enterprise_id, product_id=shape_of(trial).service, job_id=trial.number
        )
        partner_rate.wait_for_slot("bigdata")
        try:
            rows = query_trial_flow(json.dumps(body).encode(), key=str(uuid.uuid4()), request_id=uuid.uuid4().hex)
        except PartnerError as error:
            return False, f"{error.code}: {error.message}"
        kept = store_usage(trial, rows, now=timezone.now())
        return True, ", ".join(str(row.data_flow) for row in kept) or "no traffic reported"
