"""The metrics file, read by Prometheus' own parser, and what becomes of it on a full disk."""

import math
import resource
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once import metrics
from agtool.migrate_once.documents import Outcome as Document
from agtool.migrate_once.metrics import RESULTS, STATES, MetricsFile, Snapshot, exposition
from agtool.migrate_once.model import Attempt, Outcome

PREFIX = "agtool_migrate_once_"
ATTEMPT = Attempt("shop", "1.4.2", "shop-1", "run1")
LABELS = {"name": "shop", "place": "shop-1"}


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Return as soon as `true()` is. Raises AssertionError after a minute."""
    give_up = time.monotonic() + 60
    while not true():
        assert time.monotonic() < give_up, what
        time.sleep(0.005)


Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def read(text: str) -> Samples:
    """The samples by metric, then by the labels beside name and place."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            assert sample.timestamp is None  # node_exporter refuses it
            labels = {k: v for k, v in sample.labels.items() if k not in LABELS}
            name = sample.name.removeprefix(PREFIX)
            found.setdefault(name, {})[tuple(labels.items())] = sample.value
    return found


def chosen(samples: dict[tuple[tuple[str, str], ...], float]) -> list[str]:
    """The values of the one label whose samples are 1; the others are 0."""
    assert set(samples.values()) <= {0, 1}
    return [labels[0][1] for labels, value in samples.items() if value]


def exit_code(error: AgtoolError) -> int:
    return error.exit_code


def test_while_it_waits() -> None:
    samples = read(exposition(Snapshot(LABELS, "", 1795910094.391, "waiting", 2.5)))
    assert samples.keys() == {"info", "start_time_seconds", "state", "waiting_seconds"}
    assert samples["start_time_seconds"] == {(): 1795910094.391}
    assert chosen(samples["state"]) == ["waiting"]
    assert len(samples["state"]) == len(STATES)
    assert samples["waiting_seconds"] == {(): 2.5}


def test_at_the_end() -> None:
    samples = read(exposition(Snapshot(LABELS, "k", 1.0, "ended", 2.5, 7.25, "lock-lost", 125)))
    assert chosen(samples["state"]) == ["ended"]
    assert chosen(samples["result"]) == ["lock-lost"]
    assert samples["running_seconds"] == {(): 7.25}
    assert samples["exit_code"] == {(): 125}


def test_the_results_are_those_of_the_result_file() -> None:
    assert {*RESULTS} == {*get_args(get_type_hints(Document)["outcome"]), "error"}


@given(st.text(), st.text(), st.text())
def test_any_text_is_read_back(name: str, place: str, key: str) -> None:
    def stored(text: str) -> str:
        return text.encode(errors="replace").decode()

    labels = {"name": name, "place": place}
    families = list(
        text_string_to_metric_families(exposition(Snapshot(labels, key, 1.0, "waiting", 0.0)))
    )
    (info,) = families[0].samples
    assert info.labels == {"name": stored(name), "place": stored(place), "key": stored(key)}


@given(st.floats(min_value=0, max_value=1e9))
def test_seconds_are_read_back(seconds: float) -> None:
    samples = read(exposition(Snapshot(LABELS, "", 1.0, "waiting", seconds)))
    assert math.isclose(samples["waiting_seconds"][()], seconds, abs_tol=1e-9)


def test_a_whole_life(tmp_path: Path) -> None:
    file = tmp_path / "shop.prom"
    with MetricsFile(file, ATTEMPT, exit_code) as kept:
        assert chosen(read(file.read_text())["state"]) == ["waiting"]
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        with kept.phase("waiting"):
            pass
        with kept.phase("running"):
            pass
        samples = read(file.read_text())
        assert chosen(samples["state"]) == ["running"]
        assert "result" not in samples
        kept.record(Outcome("ran", 3, "run1", 1.5, 2.5))
    samples = read(file.read_text())
    assert (chosen(samples["state"]), chosen(samples["result"])) == (["ended"], ["ran"])
    assert (samples["waiting_seconds"][()], samples["running_seconds"][()]) == (1.5, 2.5)
    assert samples["exit_code"][()] == 3
    assert samples["info"] == {(("key", "1.4.2"),): 1}
    assert [path.name for path in tmp_path.iterdir()] == ["shop.prom"]


def test_it_is_kept_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "EVERY", 0.01)
    file = tmp_path / "shop.prom"
    with MetricsFile(file, ATTEMPT, exit_code) as kept, kept.phase("waiting"):
        seen = {read(file.read_text())["waiting_seconds"][()]}

        def changed() -> bool:
            seen.add(read(file.read_text())["waiting_seconds"][()])
            return len(seen) >= 4

        wait_until(changed, "it is written again and again")


def test_an_error_is_its_end(tmp_path: Path) -> None:
    file = tmp_path / "shop.prom"
    with pytest.raises(DeniedError), MetricsFile(file, ATTEMPT, exit_code):
        raise DeniedError("no")
    samples = read(file.read_text())
    assert (chosen(samples["state"]), chosen(samples["result"])) == (["ended"], ["error"])
    assert samples["exit_code"][()] == DeniedError.exit_code


@pytest.mark.parametrize("kind", ["folder", "link", "device", "missing"])
def test_what_it_cannot_replace(kind: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(other)
    path = {
        "folder": tmp_path,
        "link": link,
        "device": Path("/dev/null"),
        "missing": tmp_path / "no" / "a",
    }
    with (
        pytest.raises(ConfigurationError, match="cannot write the metrics file"),
        MetricsFile(path[kind], ATTEMPT, exit_code),
    ):
        raise AssertionError("not reached")
    assert other.read_text() == "precious"
    assert link.is_symlink()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may get longer: as a full disk, but for the number of the error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_becomes_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(metrics, "say", lambda *words, level: told.append(f"{level} {words[1]}"))
    monkeypatch.setattr(metrics, "EVERY", 0.01)
    file = tmp_path / "shop.prom"
    with MetricsFile(file, ATTEMPT, exit_code) as kept:
        before = file.read_text()
        with full_disk():
            with kept.phase("waiting"):
                wait_until(lambda: bool(told), "it is told")
            kept.record(Outcome("ran", 0, "run1", 1.5, 2.5))
        assert file.read_text() == before
        assert [path.name for path in tmp_path.iterdir()] == ["shop.prom"]
    assert told == ["warning metrics-file"]
