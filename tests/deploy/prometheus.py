"""Runs Debian's Prometheus with the rules of deploy/ beside a desk of real processes."""

import json
import re
import time
from pathlib import Path

import requests

from tests.first_start.lines import ROOT
from tests.harness.desk import ProcessDesk
from tests.harness.ports import answers, free_port

PROMETHEUS, NODE_EXPORTER = "/usr/bin/prometheus", "/usr/bin/prometheus-node-exporter"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
RULES_FILE = ROOT / "deploy" / "prometheus-rules.yml"
PANELS = json.loads(DASHBOARD.read_text())["panels"]
SELECTOR = re.compile(r'(\b(?:desk_\w+|node_\w+|up|ALERTS)\b)(?:\{((?:[^"}]|"[^"]*")*)\})?')


class Prometheus:
    """A Prometheus that scrapes the desk as job `ibs-desk` and evaluates the rules, both each `every` seconds."""

    def __init__(self, desk: ProcessDesk, *, every: int):
        self.url = f"http://127.0.0.1:{free_port()}"
        folder = desk.folder / "prometheus"
        folder.mkdir()
        rules = RULES_FILE.read_text().replace("interval: 1m", f"interval: {every}s")
        (folder / "rules.yml").write_text(rules)
        jobs = {"ibs-desk": desk.web_url}
        if Path(NODE_EXPORTER).exists():
            jobs["node"] = f"http://127.0.0.1:{free_port()}"
            address = jobs["node"].removeprefix("http://")
            desk.start_program("node_exporter", [NODE_EXPORTER, f"--web.listen-address={address}"])
        config = {
            "global": {"scrape_interval": f"{every}s", "scrape_timeout": f"{every}s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
                for job, url in jobs.items()
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        words = [f"--storage.tsdb.path={folder}/data", f"--web.listen-address={self.url.removeprefix('http://')}"]
        desk.start_program("prometheus", [PROMETHEUS, f"--config.file={folder}/prometheus.yml", *words])
        desk.until(lambda: answers(f"{self.url}/-/ready"), what="Prometheus is ready")

    def query(self, expr: str) -> list[dict]:
        """Returns the series that an expression has now. Raises requests.HTTPError if Prometheus does not understand
        it.
        """
        return self._ask("query", query=expr)

    def query_range(self, expr: str, *, since: float, until: float | None = None, step: int) -> list[dict]:
        """Returns the series of an expression between two times (epoch seconds). Each has `metric`, and `values` of
        (time, text).
        """
        return self._ask("query_range", query=expr, start=since, end=until or time.time(), step=step)

    def _ask(self, what: str, **words: object) -> list[dict]:
        answer = requests.get(f"{self.url}/api/v1/{what}", params=words, timeout=30)
        answer.raise_for_status()
        return answer.json()["data"]["result"]
