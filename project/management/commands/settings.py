"""`settings`: prints the values in force and the origin of each value. Secrets are masked.

`--adopt` stores this process's partner settings in the database as the desk's settings
(integrations/base/other_desk.py).
"""

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from integrations.base.other_desk import adopt as adopt_calls
from project.base.settings_table import FREE_PREFIX, MASK, SETTINGS, Setting


class Command(BaseCommand):
    help = "Prints every setting that a site may set: its name, where it comes from and what is in force."
    requires_system_checks = []

    def add_arguments(self, parser):
        what = "makes the addresses, identity and key of this process those of the desk of this database"
        parser.add_argument("--adopt", action="store_true", help=what)

    def handle(self, *, adopt, **options):
        if adopt:
            differed = adopt_calls(now=timezone.now())
            words = f"adopted: {', '.join(differed)}" if differed else "nothing differed"
            self.stdout.write(f"{words}; processes with other values take no step from now on")
            return
        rows = [(setting.name, settings.ENVIRONMENT.origin(setting.name), _shown(setting)) for setting in SETTINGS]
        rows += [(name, settings.ENVIRONMENT.origin(name), MASK) for name in settings.ENVIRONMENT.free()]
        width = max(len(name) for name, *_ in rows)
        for name, origin, shown in rows:
            self.stdout.write(f"{name:{width}}  {origin:11}  {shown}".rstrip())
        if not settings.ENVIRONMENT.free():
            self.stdout.write(f"{FREE_PREFIX + '*':{width}}  default")


def _shown(setting: Setting) -> str:
    given = settings.ENVIRONMENT.given(setting.name)
    if setting.name == "EMAIL_BACKEND" and given is None:
        return settings.EMAIL_BACKEND  # from EMAIL_URL
    return setting.shown(setting.default if given is None else given)
