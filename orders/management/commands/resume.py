"""`resume PARTNER`: resumes the calls to a paused partner (contract section 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.management.arguments import actor, add_by
from orders.pauses.paused_steps import steps
from orders.pauses.planned import call_off_planned
from orders.rules.steps import OUTSIDE
from orders.sending.reread_answers import resume_partner
from orders.texts.errors import OrderError


class Command(BaseCommand):
    help = "Lets the calls to a paused partner go on, at most PARTNER_RATE a second."

    def add_arguments(self, parser):
        parser.add_argument("partner", choices=OUTSIDE)
        parser.add_argument(
            "--planned", type=int, metavar="N", help="calls off the planned pause of this number instead"
        )
        add_by(parser)

    def handle(self, *args, partner, by, planned, **options):
        try:
            if planned is not None:
                call_off_planned(partner=partner, pk=planned, by=actor(by), now=timezone.now())
                self.stdout.write(f"planned pause {planned} of {partner} called off")
                return
            found = resume_partner(partner=partner, by=actor(by), now=timezone.now())
        except OrderError as error:
            raise CommandError(str(error)) from error
        if held := found.held:
            since = f"{timezone.localtime(held.since):%Y-%m-%d %H:%M}"
            self.stdout.write(f"was held since {since}: {held.call} of {held.order}: {held.code} ({held.detail})")
        if found.read:
            self.stdout.write(f"done by what the partner had answered: {', '.join(found.read)}")
        self.stdout.write(f"{partner} goes on: {steps(found.waiting)}")
        if found.slept:
            self.stdout.write(f"start days slept through: {', '.join(found.slept)}")
