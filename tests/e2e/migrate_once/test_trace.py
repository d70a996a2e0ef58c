"""What real runs do to the lock is what its model can do: traces (AGTOOL_TRACE) against it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Database, MariaDBDatabase
from tests.e2e.conftest import Agtool, Running, wait_until
from tests.model.trace import Event, is_explained, read

ENGINES = {"postgresql": "", "mysql": "MYSQL", "sqlite": "SQLITE"}


class Stage:
    """A database that is not empty, and agtools that use it and write one trace."""

    def __init__(self, agtool: Agtool, url: str, engine: str, trace: Path) -> None:
        self.engine = engine
        self._agtool = agtool
        self._url = url
        self._trace = trace

    def start(self, *command: str) -> Running:
        """Start a replica with the same key as all others."""
        options = ("--key", "one", "--kill-grace", "1s")
        return self._agtool.start(
            *("migrate-once", *options, "--", *command),
            url=self._url,
            env={"AGTOOL_TRACE": str(self._trace)},
        )

    def events(self) -> list[Event]:
        """What all of them have written so far."""
        return read(self._trace.read_text(encoding="utf-8").splitlines())

    def check(self) -> list[Event]:
        """Hold all of it against the model. Raises AssertionError."""
        events = self.events()
        assert is_explained(events, self.engine, faults=1), events
        return events


@pytest.fixture(params=list(ENGINES))
def stage(request: pytest.FixtureRequest, agtool: Agtool, tmp_path: Path) -> Stage:
    """Give a stage on each engine."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/app.db"
    else:
        name = "database" if request.param == "postgresql" else "mariadb_database"
        given: Database | MariaDBDatabase = request.getfixturevalue(name)
        given.inhabit()
        url = given.url
    return Stage(agtool, url, ENGINES[request.param], tmp_path / "trace")


def test_one_runs_and_the_others_find_it_done(stage: Stage) -> None:
    replicas = [stage.start("sleep", "0.5") for _ in range(3)]
    for replica in replicas:
        assert replica.wait().exit_code == 0
    events = stage.check()
    assert [event.name for event in events].count("DONE") == 1


def test_one_fails_and_the_next_one_runs(stage: Stage) -> None:
    first = stage.start("false")
    assert first.wait().exit_code == 1
    second = stage.start("true")
    assert second.wait().exit_code == 0
    stage.check()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_one_is_ended_and_the_next_one_runs(stage: Stage, number: signal.Signals) -> None:
    first = stage.start("sleep", "60")
    first.wait_for("running sleep")
    second = stage.start("true")
    second.wait_for("waiting for the lock")
    first.send(number)
    first.wait()
    assert second.wait().exit_code == 0
    events = stage.check()
    assert "ENDED" in [event.name for event in events]


def test_a_lock_that_is_lost(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    database.inhabit()
    stage = Stage(agtool, database.url, "", tmp_path / "trace")
    first = stage.start("sleep", "60")
    first.wait_for("running sleep")
    second = stage.start("true")
    second.wait_for("waiting for the lock")

    def terminate() -> bool:
        with database.server.connect(database.name) as superuser, superuser.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND granted AND database = (SELECT oid FROM pg_database "
                "WHERE datname = current_database())"
            )
            return bool(cursor.fetchall())

    wait_until(terminate, "the lock's session is ended")
    assert first.wait().exit_code == 125
    assert second.wait().exit_code == 0
    stage.check()


def _without(name: str) -> Callable[[list[Event]], list[Event]]:
    return lambda events: [event for event in events if event.name != name]


def _overlapping(events: list[Event]) -> list[Event]:
    """The first one's end is moved behind the second one's start."""
    last = max(event.ended for event in events)
    ends = ("OVER", "ENDED")
    first = events[0].invocation
    return [
        event._replace(began=last + 1, ended=last + 2)
        if event.invocation == first and event.name in ends
        else event
        for event in events
    ]


@pytest.mark.parametrize(
    "forge",
    [_without("STARTED"), _without("LOCKED"), _without("DONE"), _overlapping],
    ids=["no start", "no lock", "done for nobody", "overlapping"],
)
def test_what_the_model_cannot_do_is_refused(
    agtool: Agtool, tmp_path: Path, forge: Callable[[list[Event]], list[Event]]
) -> None:
    stage = Stage(agtool, f"sqlite:///{tmp_path}/app.db", "SQLITE", tmp_path / "trace")
    for command in ("false", "true", "true"):
        stage.start(command).wait()
    events = stage.events()
    assert is_explained(events, "SQLITE", faults=1)
    forged = forge(events)
    assert forged != events
    assert not is_explained(forged, "SQLITE", faults=1)


def test_a_trace_that_cannot_be_written_changes_nothing(agtool: Agtool, tmp_path: Path) -> None:
    done = agtool.run(
        *("migrate-once", "--", "true"),
        url=f"sqlite:///{tmp_path}/app.db",
        env={"AGTOOL_TRACE": "/dev/full"},
    )
    assert done.exit_code == 0


def test_a_trace_file_that_cannot_be_opened_is_an_error(agtool: Agtool, tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "trace"
    done = agtool.run(
        *("migrate-once", "--", "true"),
        url=f"sqlite:///{tmp_path}/app.db",
        env={"AGTOOL_TRACE": str(missing)},
    )
    assert done.exit_code == 125
    assert str(missing) in done.stderr
