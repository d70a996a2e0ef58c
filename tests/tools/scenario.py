"""What every tool goes through, on PostgreSQL and on MariaDB, with the lines of its page.

A subclass names the tool, and overrides what is different with it. Releases 1 and 2 of every
project make the tables `customers`, with the index `customers_name`, and `orders`; release 3 makes
`late`, by a statement that waits at the gate (`target.py`).
"""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from tests.e2e.conftest import wait_until
from tests.tools.stage import PATIENCE, Replica, Stage
from tests.tools.target import Target

TABLES = ("customers", "orders", "late")


class Tool:
    """A tool, and the form in which it has its database.

    Attributes:
        tool: the name of its folder and of its page.
        engines: those that it is tried on.
    """

    tool: ClassVar[str]
    engines: ClassVar[Sequence[str]] = ("postgresql", "mysql")

    def secret(self, target: Target) -> str:
        """The URL in the application's Secret."""
        return target.url

    def prepare(self, stage: Stage) -> None:
        """Set what the tool needs besides, such as `stage.env`."""


class Scenario(Tool):
    """The tests that all tools share.

    Attributes:
        stuck: what the tool says, and ends with, after a killed run, where it does not go on by
            itself: then the command of the page's section "After a killed run" frees it.
        reset_leaves_tables: whether the tool's reset keeps a table of its own, so that the database
            is not empty, and the key counts until there is another one, as the page says.
    """

    stuck: ClassVar[str | None] = None
    reset_leaves_tables: ClassVar[bool] = False

    def test_first_install(self, stage: Stage) -> None:
        """Three replicas at once on an empty database: one works, and all are content."""
        stage.build(1)
        one_of(stage.rollout())
        check_schema(stage.target, 1)

    def test_upgrade(self, stage: Stage) -> None:
        """The same with the next release, and a pod that is merely moved does nothing."""
        for release in (1, 2):
            stage.build(release)
            one_of(stage.rollout())
            check_schema(stage.target, release)
            (moved,) = stage.rollout(1)
            assert moved.outcome == "already-done"

    @pytest.mark.parametrize("installed_release", [0, 2], ids=["first install", "upgrade"])
    def test_killed(self, stage: Stage, installed_release: int) -> None:
        """The winner is killed in a long statement. What follows makes the schema whole."""
        if installed_release:
            stage.build(installed_release)
            one_of(stage.rollout(1))
        stage.build(3)
        with stage.target.closed() as open_gate:
            winner = stage.start()
            wait_at_the_gate(stage.target, winner)
            killed = stage.target.at_the_gate()
            winner.kill()
            heirs = [stage.start()]
            if self.stuck is not None:
                self._is_stuck(heirs)
                command = self.recovery(stage, installed_release)
                heirs = [stage.start(command=command) for _ in range(3)]
            # Nothing of the killed run is on the server when the next one begins its work.
            wait_at_the_gate(stage.target, *heirs, other_than=killed)
            assert not stage.target.at_the_gate() & killed
            open_gate()
            for heir in heirs:
                heir.end()
        one_of(heirs)
        check_schema(stage.target, 3)

    def test_reset(self, stage: Stage) -> None:
        """After each reset of the page the same release makes the schema anew."""
        stage.build(2)
        one_of(stage.rollout(1))
        for number, script in enumerate(self.resets(stage)):
            stage.target.execute("INSERT INTO customers (id, name) VALUES (1, 'old')")
            reset = stage.shell(script)
            assert reset.exit_code == 0, reset.stderr
            key = ""
            if self.reset_leaves_tables:
                assert stage.rollout(1)[0].outcome == "already-done"
                key = f"example.com/shop:1.4.2 again {number}"
            one_of(stage.rollout(key=key))
            check_schema(stage.target, 2)
            assert stage.target.rows("SELECT count(*) FROM customers") == [(0,)], "not reset"

    def test_emptied(self, stage: Stage) -> None:
        """Somebody has dropped all tables: the same release runs again."""
        stage.build(1)
        one_of(stage.rollout(1))
        stage.target.drop_tables()
        one_of(stage.rollout())
        check_schema(stage.target, 1)

    def test_dump_loaded(
        self, stage: Stage, new_target: Callable[[], Target], tmp_path: Path
    ) -> None:
        """A dump with all that is in the database, loaded into a new one under agtool, upgrades."""
        stage.build(1)
        one_of(stage.rollout(1))
        dump = tmp_path / "dump.sql"
        old, new = stage.target, new_target()
        with dump.open("wb") as file:
            made = subprocess.run(
                old.dump(), stdout=file, stderr=subprocess.PIPE, check=False, env=old.clients()
            )
        assert made.returncode == 0, made.stderr
        stage.target, stage.secret = new, self.secret(new)
        self.prepare(stage)
        load = ["sh", "-euc", f'exec "$@" < "{dump}"', "load", *new.load()]
        loads = stage.rollout(
            command=["agtool", "migrate-once", "--name", "load", "--", *load], env=new.clients()
        )
        one_of(loads)
        assert all(load.result["marked_done"] for load in loads if load.outcome == "ran")
        check_schema(new, 1)
        stage.build(2)
        one_of(stage.rollout())
        check_schema(new, 2)

    def resets(self, stage: Stage) -> Sequence[str]:
        """The page's ways to a database as before the first release."""
        found = stage.page.blocks("A reset", "sh")
        assert found
        return found

    def recovery(self, stage: Stage, installed_release: int) -> list[str]:
        """The command that frees the tool after a killed run, and migrates."""
        return stage.page.command("After a killed run")

    def _is_stuck(self, heirs: list[Replica]) -> None:
        for heir in heirs:
            done = heir.end()
            assert done.exit_code not in (0, 124, 125)
            assert self.stuck
            assert self.stuck in done.stdout + done.stderr


def one_of(replicas: Sequence[Replica]) -> Replica:
    """Return the replica that worked. Raises AssertionError unless it was one, and all are fine."""
    ended = [replica.end() for replica in replicas]
    said = "\n".join(done.stderr + done.stdout for done in ended)
    assert {done.exit_code for done in ended} == {0}, said
    worked = [replica for replica in replicas if replica.outcome == "ran"]
    assert len(worked) == 1, said
    assert {replica.outcome for replica in replicas if replica not in worked} <= {"already-done"}
    assert worked[0].result["marked_done"], said
    return worked[0]


def check_schema(target: Target, release: int) -> None:
    """Raise AssertionError unless the schema is the one of a release."""
    assert set(TABLES) & target.tables() == set(TABLES[:release])
    assert "customers_name" in target.indexes()
    if release == 3:
        assert target.rows("SELECT count(*) FROM late") == [(1,)]


def wait_at_the_gate(
    target: Target, *replicas: Replica, other_than: frozenset[int] | set[int] = frozenset()
) -> None:
    """Return when a statement waits at the gate. Raises AssertionError if no replica is left."""

    def there() -> bool:
        left = any(replica.running.running() for replica in replicas)
        if target.at_the_gate() - other_than:
            return True
        said = (replica.running.stderr + replica.running.stdout for replica in replicas)
        assert left, "\n".join(said)
        return False

    wait_until(there, "a statement waits at the gate", PATIENCE)
