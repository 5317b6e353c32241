"""`make house`: prints the size of the project, and the number of files through which an order runs.

Prints the functions per 1,000 lines of code and the longest files. Also prints the number of our files in which a
function runs during a POST until the response 00000, and during the delivery of a due billing step. `--files` lists
these files.
"""

import argparse
import ast
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.sources import APPS, ROOT

LONGEST = 5


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.tools.house")
    words.add_argument("--files", action="store_true", help="name the files that a POST and a delivery run through")
    options = words.parse_args()
    sources = [path for path in listed() if "/migrations/" not in path]
    lengths = Counter({path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in sources})
    functions = sum(count_functions(ROOT / path) for path in sources)
    print(
        f"{len(sources)} files, {lengths.total()} lines, {1000 * functions / lengths.total():.0f} functions per 1,000"
    )
    print("longest: " + ", ".join(f"{path} {length}" for path, length in lengths.most_common(LONGEST)))
    posted, delivered = walk()
    for name, files in (("a POST to its 00000", posted), ("a due step to done", delivered)):
        print(f"{name} runs through {len(files)} files")
        for file in sorted(files) if options.files else ():
            print(f"    {file}")
    return 0


def listed() -> list[str]:
    """Returns the tracked Python files of the apps, relative to the project's root."""
    told = subprocess.run(["git", "ls-files", *APPS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in told.splitlines() if path.endswith(".py") and (ROOT / path).exists()]


def count_functions(path: Path) -> int:
    """Returns the number of functions and methods, including nested ones."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


def walk() -> tuple[set[str], set[str]]:
    """Returns the files of a POST and the files of a delivery, on a desk that has already done both once."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ.setdefault("DESK_TEST_DATABASE_URL", "")
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client
    from django.test.utils import get_runner, setup_test_environment

    from integrations.delivery.loop import drain
    from tests.bboss_messages import accepted, post_order
    from tests.fakes import RunningSandbox
    from tests.processes.orders import trial

    setup_test_environment()
    runner = get_runner(settings)(verbosity=0, interactive=False)
    databases = runner.setup_databases()

    client = Client()  # one client for both calls, because the first call also loads the middleware

    def post(number: int) -> None:
        assert accepted(post_order(client, trial(number)))

    def deliver() -> None:
        drain(seconds=None, linger=False)

    with RunningSandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        settings.BIGDATA_BASE_URL, settings.BPM_BASE_URL = sandbox.bigdata_url, sandbox.bpm_url
        settings.ATTACHMENT_DIR = Path(folder)
        try:
            post(1), deliver()
            found = files_run(lambda: post(2)), files_run(deliver)
        finally:
            runner.teardown_databases(databases)
    apart = ("integrations/sandbox/", "integrations/bboss/sample_envelope.py")  # code of the simulated partners
    return tuple({file for file in files if not file.startswith(apart)} for files in found)


def files_run(act: Callable[[], None]) -> set[str]:
    """Returns the files of the apps in which a function runs during `act`. Includes threads that start meanwhile."""
    seen = set()

    def look(frame, event: str, argument: object) -> None:
        if event == "call":
            seen.add(frame.f_code.co_filename)

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        act()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    inside = [Path(file).relative_to(ROOT).as_posix() for file in seen if file.startswith(f"{ROOT}/")]
    return {file for file in inside if file.startswith(tuple(f"{app}/" for app in APPS))}


if __name__ == "__main__":
    sys.exit(main())
