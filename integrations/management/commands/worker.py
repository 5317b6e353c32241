"""`worker`: runs the queue's cluster and its watchdog (contract section 5)."""

import argparse
import logging

from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from integrations.worker.implausible_times import correct_times
from integrations.worker.parent_link import hold
from integrations.worker.recurring_schedules import make_schedules
from integrations.worker.watchdog import ANSWER_WITHIN, PING_EVERY, Watchdog

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs django-q2's cluster in its own process group. A watchdog replaces the cluster when it hangs."""

    requires_system_checks = ()  # handle() runs them and logs the results, so that every line has LOG_FORMAT's form
    help = "Carries out what is due: runs qcluster with a watchdog. Ends on SIGTERM and Ctrl-C."

    def add_arguments(self, parser):
        hidden = argparse.SUPPRESS
        parser.add_argument("--tied-to", type=int, help=hidden)  # set by the watchdog: the socket to keep open
        parser.add_argument("--ping-every", type=float, default=PING_EVERY, help=hidden)  # for tests, like --patience
        parser.add_argument("--patience", type=float, default=ANSWER_WITHIN, help=hidden)

    def handle(self, *args, tied_to, ping_every, patience, **options):
        if tied_to is not None:
            hold(tied_to)
            call_command("qcluster")
            return
        logger.info("worker starts: IBS Order Desk %s", settings.VERSION)
        found = [message for message in run_checks() if not message.is_silenced()]
        if any(message.is_serious() for message in found):
            self.check()  # raises with the failed checks
        for message in found:
            logger.warning("%s", message)
        try:
            self.correct_times()
            make_schedules()
        except Error as error:
            raise CommandError(f"the database does not answer, or lacks its migrations: {error}") from error
        logger.info("worker runs; Ctrl-C ends it")
        Watchdog(ping_every=ping_every, patience=patience).run()
        logger.info("worker has stopped")

    def correct_times(self) -> None:
        """Corrects implausible times when the worker starts. Raises django.db.Error. Other errors are only logged,
        because the sweep makes the same corrections and reports errors."""
        try:
            correct_times(now=timezone.now())
        except Error:
            raise
        except Exception:
            logger.exception("moments that lie too far ahead were not put right")
