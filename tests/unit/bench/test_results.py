"""What the benches keep of their runs, and what the page of the plots says of two of them."""

from pathlib import Path

import pytest

from bench import pictures, plots, results

TEXT = """\
# Benchmarks

## Help

|  | wall | CPU | agtool / this, wall |
| --- | ---: | ---: | ---: |
| `agtool --help` | 72 ms | 1.36 s |  |
| `kubectl --help` | hangs | 64 MiB | **1.41** |

## Replicas

| who | replicas | start µs | SIGTERM to exit µs |
| --- | ---: | ---: | ---: |
| agtool | 10 | 2,258 | 131 / 274 |
| agtool | 50 | 2,130 | ignores it |
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder instead of bench/results."""
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    return tmp_path / "results"


def test_tables_are_read_as_numbers() -> None:
    assert results.tables(TEXT) == {
        "Help": {
            "`agtool --help`": {"wall": 0.072, "CPU": 1.36},
            "`kubectl --help`": {"CPU": 65536.0, "agtool / this, wall": 1.41},
        },
        "Replicas": {
            "agtool": {
                "replicas": 10.0,
                "start µs": 0.002258,
                "SIGTERM to exit µs": 0.000131,
                "SIGTERM to exit µs 2": 0.000274,
            },
            "agtool, 50": {"replicas": 50.0, "start µs": 0.00213},
        },
    }


def test_runs_are_kept_in_their_order(folder: Path) -> None:
    assert results.runs("start") == []
    results.keep("start", TEXT, 0.3, ["2 cores"])
    results.keep("start", TEXT.replace("72 ms", "80 ms"), None, ["2 cores"])
    assert [path.name for path in folder.iterdir()] == ["start.json"]
    first, second = results.runs("start")
    assert (first["load"], second["load"]) == (0.3, None)
    assert first["about"] == ["2 cores"]
    assert second["tables"]["Help"]["`agtool --help`"]["wall"] == 0.08


@pytest.mark.usefixtures("folder")
def test_the_page_shows_the_change_and_its_spread() -> None:
    plot = pictures.Plot(
        "start",
        "Starts",
        "start",
        "s",
        "x.md",
        (pictures.Bar("agtool", "Help", "`agtool --help`"),),
    )
    for wall in ("72 ms", "60 ms", "90 ms"):
        results.keep("start", TEXT.replace("72 ms", wall), 7.0, ["2 cores"])
    (table,) = plots.changes(plot)
    assert table.splitlines()[2] == "| agtool | 60 ms | 90 ms | +50% | 60 ms to 72 ms in 2 |"
    assert plots.said(plot) == "Starts. agtool 90 ms."
    assert "load average 7.0 before; 2 cores" in plots.measured(results.runs("start")[-1])


def test_every_bar_is_in_the_results_that_are_kept() -> None:
    for plot in pictures.PLOTS:
        *_, run = results.runs(plot.bench)
        figures = [plots.figure(run, bar) for bar in plot.bars]
        assert None not in figures, f"{plot.name}: {figures}"
        assert plot.title in plots.page()
        assert (plots.FOLDER / f"{plot.name}.svg").exists()


def test_the_page_is_made_from_what_is_kept() -> None:
    assert plots.PAGE.read_text(encoding="utf-8") == plots.page()
