"""`worker`: the process that does the work (contract section 5)."""

from django.core.management import call_command
from django.core.management.base import BaseCommand

from integrations.recurring import make_schedules
from integrations.watchdog import Watchdog, end_with


class Command(BaseCommand):
    """Runs django-q2's cluster in its own process group, with a watchdog that replaces it when it hangs."""

    help = "Carries out what is due: runs qcluster with a watchdog. Ends on SIGTERM and Ctrl-C."

    def add_arguments(self, parser):
        parser.add_argument("--tied-to", type=int, help="used by the watchdog itself: the pipe that the cluster holds")

    def handle(self, *args, tied_to, **options):
        if tied_to is not None:
            end_with(tied_to)
            call_command("qcluster")
            return
        make_schedules()
        self.stdout.write("worker runs; Ctrl-C ends it")
        self.stdout.flush()
        Watchdog().run()
        self.stdout.write("worker has stopped")
