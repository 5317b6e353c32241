"""`python -m bench.chart`: draws history.svg, which shows the ratios of the history by run.

`growth` is left out, because it has too many ratios.
"""

from bench.results import HISTORY, read_history

WIDTH, PLOT, LEFT, TOP, LINE = 900, 240, 50, 20, 18
CHARTED = ("ingest", "deliver")
COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#7b5ea7", "#b08900", "#444444")


def main() -> None:
    """Writes the chart into the history's folder. Each ratio of a benchmark is a line, each run a point."""
    series: dict[str, list[float]] = {}
    for line in filter(lambda one: one["bench"] in CHARTED, read_history()):
        for name, value in line["ratios"].items():
            series.setdefault(f"{line['bench']}: {name}", []).append(value)
    HISTORY.with_name("history.svg").write_text(draw(series), encoding="utf-8")


def draw(series: dict[str, list[float]]) -> str:
    """Returns the SVG. The last run of each ratio is at the right edge."""
    most = max((max(values) for values in series.values()), default=1.0)
    longest = max((len(values) for values in series.values()), default=1)
    height = TOP + PLOT + LINE * (len(series) + 2)
    parts = [f'<text x="{LEFT - 8}" y="{TOP + 4}" text-anchor="end">{most:.1f}</text>']
    parts.append(f'<text x="{LEFT - 8}" y="{TOP + PLOT}" text-anchor="end">0</text>')
    parts.append(f'<path d="M{LEFT} {TOP}V{TOP + PLOT}H{WIDTH - 20}" fill="none" stroke="#888"/>')
    for number, (name, values) in enumerate(series.items()):
        colour, step = COLOURS[number % len(COLOURS)], (WIDTH - LEFT - 40) / max(longest - 1, 1)
        first = longest - len(values)
        points = [(LEFT + 10 + (first + n) * step, TOP + PLOT * (1 - value / most)) for n, value in enumerate(values)]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in points]
        low = TOP + PLOT + LINE * (number + 2)
        parts.append(f'<text x="{LEFT}" y="{low}" fill="{colour}">{name}: {values[-1]:.2f}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
    head += ' font-family="sans-serif" font-size="13">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
