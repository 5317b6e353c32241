"""Draws the panels of deploy/grafana-dashboard.json as one SVG, with data that their queries get from a Prometheus.
Each panel has the place, size, kind and names that it has in Grafana, but our own code draws it.
"""

import re
import time
from collections.abc import Iterator
from html import escape

from tests.deploy.prometheus import PANELS, Prometheus

COLUMN, ROW, LINE = 40, 34, 13  # in pixels: a column and a row of Grafana's grid of 24 columns, and a line of text
COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#7b5ea7", "#b08900", "#444444", "#d17aa8", "#3d7dd1")
MOST = 8  # most names below a panel
UNITS = {"s": "s", "reqps": "/s", "short": ""}
STEP = 15  # in seconds
Row = tuple[str, list[tuple[float, float]]]


def draw(prometheus: Prometheus, *, since: float) -> str:
    """Returns the SVG of the time from `since` (epoch seconds) until now."""
    until = time.time()
    parts, height = [], 0
    for panel in PANELS:
        place = panel["gridPos"]
        left, top = place["x"] * COLUMN + 6, place["y"] * ROW + 6
        width, tall = place["w"] * COLUMN - 12, place["h"] * ROW - 12
        height = max(height, top + tall + 6)
        rows = list(_rows(prometheus, panel, since, until))
        parts.append(f'<g transform="translate({left},{top})"><rect width="{width}" height="{tall}" class="panel"/>')
        parts.append(f'<text x="8" y="16" class="title">{escape(panel["title"])}</text>')
        unit = UNITS.get(panel["fieldConfig"]["defaults"]["unit"], "")
        kind = {"stat": _stat, "state-timeline": _timeline}.get(panel["type"], _series)
        parts += [*kind(rows, unit, (width, tall), (since, until)), "</g>"]
    style = ".panel{fill:#fff;stroke:#ddd}.title{font-weight:bold}text{font:11px sans-serif}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN} {height}"><style>{style}</style>'
    return "\n".join([head, f'<rect width="{24 * COLUMN}" height="{height}" fill="#f4f5f5"/>', *parts, "</svg>"]) + "\n"


def _rows(prometheus: Prometheus, panel: dict, since: float, until: float) -> Iterator[Row]:
    """Yields (name, points) for each series. The name follows the legend of the panel."""
    for target in panel["targets"]:
        for found in prometheus.query_range(target["expr"], since=since, until=until, step=STEP):
            named = re.sub(r"\{\{(\w+)\}\}", lambda m, f=found: f["metric"].get(m[1], ""), target["legendFormat"])
            yield named.strip(), [(at, float(said)) for at, said in found["values"] if said != "NaN"]


def _stat(rows: list[Row], unit: str, size: tuple[int, int], span: tuple[float, float]) -> Iterator[str]:
    for line, (name, points) in enumerate(rows[:MOST]):
        said = f"{points[-1][1]:,.0f}{unit}" if points else ""
        yield f'<text x="8" y="{40 + line * 18}">{escape(name)}: <tspan class="title">{said}</tspan></text>'


def _timeline(rows: list[Row], unit: str, size: tuple[int, int], span: tuple[float, float]) -> Iterator[str]:
    if not rows:
        yield '<text x="8" y="40">nothing in this stretch</text>'
    width = size[0] - 140
    wide = width * STEP / (span[1] - span[0]) + 1
    for line, (name, points) in enumerate(rows):
        top = 26 + line * 20
        yield f'<text x="8" y="{top + 12}">{escape(name)}</text>'
        for at, value in points:
            left = 130 + (at - span[0]) / (span[1] - span[0]) * width
            colour = COLOURS[1] if value else "#cfe3d4"
            yield f'<rect x="{left:.0f}" y="{top}" width="{wide:.0f}" height="15" fill="{colour}"/>'


def _series(rows: list[Row], unit: str, size: tuple[int, int], span: tuple[float, float]) -> Iterator[str]:
    rows = sorted(rows, key=lambda row: -max((value for _, value in row[1]), default=0.0))[:MOST]
    most = max((value for _, points in rows for _, value in points), default=0.0) or 1.0
    width, low = size[0] - 60, size[1] - 12 - LINE * ((len(rows) + 1) // 2)
    for y, said in ((34, f"{most:.3g}{unit}"), (low, "0")):
        yield f'<text x="44" y="{y}" text-anchor="end">{said}</text>'
    yield f'<path d="M48 26V{low}H{size[0] - 8}" fill="none" stroke="#ccc"/>'
    for number, (name, points) in enumerate(rows):
        colour, drawn, before = COLOURS[number], "", None
        for at, value in points:
            x, y = 48 + (at - span[0]) / (span[1] - span[0]) * width, low - value / most * (low - 28)
            drawn += f"{'L' if before and at - before <= 2 * STEP else 'M'}{x:.0f} {y:.0f}"
            before = at
        yield f'<path d="{drawn}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        x, y = 48 + number % 2 * (width // 2), low + 14 + number // 2 * LINE
        yield f'<text x="{x}" y="{y}" fill="{colour}">{escape(name)}</text>'
