"""The stored results of benchmark runs."""

import json

import pytest

from bench import chart, check, results


@pytest.fixture
def keep(tmp_path, monkeypatch):
    """Returns a function that writes a history of results for the test. `keep(bench, 0.9, 0.5)` stores a run for each
    ratio.
    """
    monkeypatch.setattr(results, "HISTORY", tmp_path / "history.jsonl")

    def write(bench: str, *ratios: float) -> None:
        lines = [json.dumps({"bench": bench, "commit": "abc", "ratios": {"desk": ratio}}) + "\n" for ratio in ratios]
        results.HISTORY.write_text("".join(lines), encoding="utf-8")

    return write


def test_a_loss_of_intake_or_delivery_is_named(keep, capsys):
    keep("ingest", 0.9, 0.5)
    assert check.main() == 1
    assert "LOST  ingest: desk: 0.90 (abc) -> 0.50 (abc)" in capsys.readouterr().out


def test_small_losses_add_up(keep, capsys):
    keep("deliver", 0.8, 0.9, 0.8, 0.7)
    assert check.main() == 1
    assert "LOST  deliver: desk: 0.90 (abc) -> 0.70 (abc)" in capsys.readouterr().out


def test_a_small_loss_is_none(keep):
    keep("deliver", 0.9, 0.8)
    assert check.main() == 0


def test_what_the_check_does_not_measure_is_not_judged(keep, capsys):
    keep("growth", 0.9, 0.5)
    assert check.main() == 0
    assert capsys.readouterr().out == ""


def test_a_chart_has_room_for_each_ratio():
    drawn = chart.draw({f"ratio {number}": [0.5, 1.0] for number in range(40)})
    places = [int(part.split('"')[0]) for part in drawn.split(' y="')[1:] if "ratio" in part]
    height = int(drawn.split("viewBox=")[1].split()[3].strip('"'))
    assert len(places) == 40
    assert all(0 < place < height for place in places)
