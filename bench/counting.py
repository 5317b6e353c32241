"""Measures the cost of counters and of log lines.

The CPU time of an order and of a step is measured alternately with and without counters and log lines. The result is
the median of the differences between neighbouring runs.

Run `python -m bench.counting [ROUNDS]`. Set LOG_FORMAT=json to measure log lines in that form. Everything runs in one
process. Django's test client calls the endpoint, and the delivery uses a sandbox without a connection. Log lines are
written into memory.
"""

import io
import json
import logging
import os
import sys
import time
import uuid
from statistics import median

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
ORDERS, CALLS = 50, 20_000
WAYS = ("neither", "counted", "counted, with a line")
LOGGERS = ("project.observability.request_log", "integrations.delivery.loop")


def main(rounds: int) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client
    from django.test.utils import setup_test_environment
    from django.utils import timezone

    from integrations.base import counters
    from integrations.bboss.sample_envelope import signed_envelope
    from integrations.delivery.loop import drain
    from tests.conftest import point_at
    from tests.fakes import reached_directly
    from tests.processes.orders import trial
    from tests.template import fresh_database

    setup_test_environment()
    console = next(one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler))
    console.setStream(io.StringIO())
    real = {name: getattr(counters, name) for name in ("INBOUND", "INBOUND_SECONDS", "CALLS", "CALL_SECONDS")}
    client, number = Client(), iter(range(10**6))

    def bodies() -> list[bytes]:
        contents = (trial(next(number), BizStart=f"{timezone.localtime():%Y%m%d}") for _ in range(ORDERS))
        envelopes = (signed_envelope(one, now=timezone.now(), trans_ido=uuid.uuid4().hex) for one in contents)
        return [json.dumps(one).encode() for one in envelopes]

    def spent() -> tuple[float, float]:
        """Returns the CPU milliseconds of an order and of a step."""
        posts, began = bodies(), time.process_time()
        for body in posts:
            answer = client.post("/api/bboss/orders", body, content_type="application/json").content
            assert b"00000" in answer, answer
        between = time.process_time()
        steps = drain(seconds=None, linger=False).tried
        return (between - began) * 1000 / ORDERS, (time.process_time() - between) * 1000 / steps

    with fresh_database(), reached_directly() as sandbox:
        point_at(settings, sandbox)
        spent()
        found = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way in WAYS[:: -1 if turn % 2 else 1]:
                for name, metric in real.items():
                    setattr(counters, name, _Nothing() if way == "neither" else metric)
                for name in LOGGERS:
                    logging.getLogger(name).setLevel(logging.INFO if "line" in way else logging.WARNING)
                found[way].append(spent())
    for place, what in enumerate(("order", "step")):
        usual = [one[place] for one in found["neither"]]
        more = []
        for way in WAYS[1:]:
            differences = [one[place] - base for one, base in zip(found[way], usual, strict=True)]
            more.append(f"{way} {median(differences) * 1000:+.0f} µs ({median(differences) / median(usual):+.2%})")
        print(f"{what}: {median(usual):.3f} ms of CPU, {', '.join(more)}")
    for name, metric in real.items():
        setattr(counters, name, metric)
    began = time.process_time()
    for _ in range(CALLS):
        counters.count_call("bpm", "start_bpm", "done", 0.1)
    print(f"a count: {(time.process_time() - began) * 1e6 / CALLS:.1f} µs")


class _Nothing:
    def labels(self, *values):
        return self

    def inc(self) -> None:
        pass

    def observe(self, seconds: float) -> None:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
