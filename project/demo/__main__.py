"""`python -m project.demo` (`make demo`): starts everything, plays the cases, reports the results and keeps running.

With DEMO_EXIT=1 it ends after the report. The exit code is 0 only if all cases went as expected.
"""

import os
import signal
import sys
import threading

from project.demo import report
from project.demo.cases import load_cases
from project.demo.desk import start_desk
from project.demo.environment import take_folder, write_file
from project.demo.errors import DemoError, Stopped
from project.demo.play import play, prepare_trying
from project.demo.processes import Children


def main() -> int:
    """Runs the demo. Returns the exit code."""
    sys.stdout.reconfigure(line_buffering=True)  # in a pipe, each line is wanted at once
    stopping = listen_for_end()
    with take_folder() as folder, Children(folder, stopping) as children:
        try:
            return run_demo(children, stopping)
        except DemoError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        except Stopped:
            print("\nstopped before the end")
            return 1
        finally:
            print("ending the processes")


def run_demo(children: Children, stopping: threading.Event) -> int:
    """Starts the desk, plays the cases and reports. Keeps running unless DEMO_EXIT is set."""
    desk = start_desk(children)
    results = [play(desk, case) for case in load_cases()]
    for result in results:
        report.print_case(result)
    good = report.summarize(results)
    trying = prepare_trying(desk)
    report.tell_addresses(desk)
    report.tell_trying(desk, trying, write_file(children.environment))
    if os.environ.get("DEMO_EXIT", "") in ("", "0"):
        print("\nCtrl-C ends it")
        children.stay()
    return 0 if good else 1


def listen_for_end() -> threading.Event:
    """An event that Ctrl-C, SIGTERM and a closed terminal set. The demo then ends everything in order."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


if __name__ == "__main__":
    sys.exit(main())
