"""`pause PARTNER`: holds back the calls to a partner, now or from a moment on (contract section 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.management.arguments import actor, add_by, moment
from orders.pauses.pause_and_resume import pause_partner
from orders.pauses.paused_steps import pauses_in_force, say_paused, steps
from orders.pauses.planned import plan_pause, say_planned
from orders.rules.steps import OUTSIDE
from orders.texts.errors import NotAllowedError, OrderError
from orders.texts.secrets_in_text import without_named_secrets


class Command(BaseCommand):
    help = "Holds back the calls to a partner, for its maintenance, until the given moment or until `resume`."

    def add_arguments(self, parser):
        parser.add_argument("partner", choices=OUTSIDE)
        parser.add_argument(
            "--reason", type=without_named_secrets, required=True, help="why; everybody reads it while the pause stands"
        )
        parser.add_argument(
            "--until", type=moment, metavar="MOMENT", help="YYYY-MM-DDTHH:MM, Shanghai; then it goes on by itself"
        )
        parser.add_argument(
            "--from", dest="begins", type=moment, metavar="MOMENT", help="with --until: it begins then by itself"
        )
        parser.add_argument("--weekly", action="store_true", help="with --from: each week again")
        add_by(parser)

    def handle(self, *args, partner, reason, until, by, begins, weekly, **options):
        now = timezone.now()
        if weekly and begins is None:
            raise CommandError(str(NotAllowedError("weekly_unplanned")))
        try:
            if begins:
                about = {"begins": begins, "until": until, "weekly": weekly}
                planned = plan_pause(partner=partner, reason=reason, by=actor(by), now=now, **about)
                self.stdout.write(f"planned as {say_planned(planned)}")
                return
            row = pause_partner(partner=partner, reason=reason, by=actor(by), now=now, until=until)
        except OrderError as error:
            raise CommandError(str(error)) from error
        waiting = next(found.waiting for found in pauses_in_force(now=now) if found.pause.pk == row.pk)
        self.stdout.write(f"{say_paused(row)}: {steps(waiting)}")
        if until is None:
            self.stdout.write(f"until `resume {partner}`; an incident reminds every 4 hours")
