"""gunicorn's worker classes for BBOSS's calls, behind nginx: `python -m bench.workers [--seconds 6] [--rounds 5]`."""

from argparse import Namespace

from bench import environment  # noqa: F401  sets Django up
from bench.cpu import cpu_of_group
from bench.desk import Desk
from bench.ingest import WARM_UP, p99, post_all, prepare, speed
from bench.options import read_options
from bench.results import append, ratios, spread
from tests.harness.nginx import nginx_command, write_nginx_conf
from tests.harness.ports import free_port, listens

BUFFERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
CASES = {
    "gthread 2 x 4": "-w 2 -k gthread --threads 4",
    "sync 2": "-w 2 -k sync",
    "sync 4": "-w 4 -k sync",
    "sync 8": "-w 8 -k sync",
}
MOST_PER_SECOND = 400  # messages that are prepared
REFERENCE = "gthread 2 x 4"
CLIENTS = (8, 32)


def main() -> None:
    """Runs all cases alternately, and appends the medians. The order of the cases differs from round to round."""
    options = read_options(__doc__, seconds=(6, 1, 120), rounds=(5, 1, 20))
    with Desk() as desk:
        addresses = {
            name: _behind_nginx(desk, name, desk.start_web(name, "project.wsgi", workers=workers))
            for name, workers in CASES.items()
        }
        append("workers", _report(_rounds(desk, addresses, options), options))


def _behind_nginx(desk: Desk, name: str, url: str) -> str:
    """Starts an nginx for this server. It buffers bodies like deploy/nginx.conf. Returns its address."""
    port = free_port()
    folder = desk.folder / f"nginx-{port}"
    buffers = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in BUFFERS)  # any user may run it
    upstream = f"  upstream desk {{ server {url.removeprefix('http://')}; keepalive 16; }}\n"
    (write_nginx_conf(folder, more=buffers + upstream) / "desk.conf").write_text(
        f"server {{\n  access_log off; listen 127.0.0.1:{port}; client_max_body_size 16m; proxy_http_version 1.1;\n"
        '  proxy_set_header Connection ""; proxy_set_header Host $host;\n'
        "  location / { proxy_pass http://desk; }\n}\n"
    )
    desk.start_program(f"nginx {name}", nginx_command(folder))
    desk.until(lambda: listens(port), what=f"nginx at port {port} listens")
    return f"http://127.0.0.1:{port}"


def _rounds(desk: Desk, addresses: dict[str, str], options: Namespace) -> dict[tuple, list[dict]]:
    """Returns the rounds by (case, clients). The first round is left out, because it prepares each statement."""
    found: dict[tuple, list[dict]] = {}
    file = desk.folder / "bodies"
    prepare(file, 0, WARM_UP)
    for url in addresses.values():
        post_all(file, url, seconds=30)
    names, count, begin = list(addresses), options.seconds * MOST_PER_SECOND, WARM_UP
    for number in range(options.rounds + 1):
        for clients in CLIENTS:
            first = number % len(names)
            for name in names[first:] + names[:first]:
                prepare(file, begin, count)  # each measurement gets new orders, because a repeated order costs less
                begin += count
                group = desk.processes[name].pid
                before = cpu_of_group(group)
                result = post_all(file, addresses[name], seconds=options.seconds, clients=clients)
                result["cpu_ms"] = (cpu_of_group(group) - before) * 1000 / result["accepted"]
                print(number, clients, name, result, flush=True)
                if number:
                    found.setdefault((name, clients), []).append(result)
    return found


def _report(rounds: dict[tuple, list[dict]], options: Namespace) -> list[str]:
    lines = [
        f"First activations behind nginx, PostgreSQL, {options.seconds} s a round, all cases in turn in each round.",
        f"Ratios are to {REFERENCE} in the same round.",
        "",
        "| case | clients | orders/s | ratio | p99 ms | ratio | gunicorn's CPU ms an order |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for clients in CLIENTS:
        base = rounds[REFERENCE, clients]
        for name in CASES:
            runs = rounds[name, clients]
            ratio, tail_ratio = ratios(speed(runs), speed(base)), ratios(p99(runs), p99(base))
            cpu = spread([one["cpu_ms"] for one in runs], 1)
            cells = (spread(speed(runs)), spread(ratio, 2), spread(p99(runs)), spread(tail_ratio, 2), cpu)
            lines.append(f"| {name} | {clients} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
