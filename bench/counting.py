"""What counting costs: CPU of an order and of a step, with and without it, in interleaved pairs: the least of each.

Run `python -m bench.counting [PAIRS]`. Everything is in one process: the endpoint by Django's test client, the delivery
to a sandbox that is reached without a connection.
"""

import json
import os
import sys
import time
import uuid

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
ORDERS, CALLS = 150, 20_000


def main(pairs: int) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client
    from django.test.utils import setup_test_environment
    from django.utils import timezone

    from integrations import counting
    from integrations.bboss.sample_envelope import signed_envelope
    from integrations.delivery.loop import drain
    from tests.conftest import point_at
    from tests.fakes import reached_directly
    from tests.processes.orders import trial
    from tests.template import fresh_database

    setup_test_environment()
    real = {name: getattr(counting, name) for name in ("INBOUND", "INBOUND_SECONDS", "CALLS", "CALL_SECONDS")}
    client, number = Client(), iter(range(10**6))

    def bodies() -> list[bytes]:
        contents = (trial(next(number), BizStart=f"{timezone.localtime():%Y%m%d}") for _ in range(ORDERS))
        envelopes = (signed_envelope(one, now=timezone.now(), trans_ido=uuid.uuid4().hex) for one in contents)
        return [json.dumps(one).encode() for one in envelopes]

    def spent() -> tuple[float, float]:
        """CPU milliseconds of an order and of a step."""
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
        with_it, without = [], []
        for pair in range(2 * pairs):
            on = pair % 4 in (0, 3)
            for name, metric in real.items():
                setattr(counting, name, metric if on else _Nothing())
            (with_it if on else without).append(spent())
    for place, what in enumerate(("order", "step")):
        usual, counted = (min(one[place] for one in found) for found in (without, with_it))
        print(f"{what}: {usual:.3f} ms of CPU, counted {counted:.3f} ms ({counted / usual - 1:+.2%})")
    began = time.process_time()
    for _ in range(CALLS):
        counting.count_call("bpm", "start_bpm", "done", 0.1)
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
