"""`make messages`: updates the Chinese catalogue from the sources, and compiles it.

New texts are added without a translation. Texts that are no longer in the sources are removed. Needs GNU gettext.
"""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import django

from tests.sources import APPS, ROOT

CATALOGUE = Path("project", "locale", "zh_Hans", "LC_MESSAGES", "django.po")
MADE_AT = re.compile(r'^"POT-Creation-Date: .*"\n', re.MULTILINE)


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    file = ROOT / CATALOGUE
    before = file.read_text(encoding="utf-8")
    write_catalogue(ROOT)
    if MADE_AT.sub("", file.read_text(encoding="utf-8")) == MADE_AT.sub("", before):
        file.write_text(before, encoding="utf-8")
    return subprocess.run(["msgfmt", "--check-format", "-o", file.with_suffix(".mo"), file], check=False).returncode


def write_catalogue(root: Path) -> None:
    """Merges the texts of the apps below `root` into the catalogue there. Writes temporary files beside templates."""
    from django.core.management import call_command
    from django.test import override_settings

    # Only folders directly below the root. A bare name would also exclude a folder of that name inside an app.
    others = [f"{path.name}/?*" for path in root.iterdir() if path.is_dir() and path.name not in APPS]
    with contextlib.chdir(root), override_settings(LOCALE_PATHS=[root / "project" / "locale"]):
        call_command(
            "makemessages",
            locale=["zh_Hans"],
            ignore_patterns=others,
            no_location=True,
            no_wrap=True,
            no_obsolete=True,
            verbosity=0,
        )


if __name__ == "__main__":
    sys.exit(main())
