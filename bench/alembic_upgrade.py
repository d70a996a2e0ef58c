"""Many replicas at once, with a real Alembic upgrade that builds an index concurrently."""

from __future__ import annotations

import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.figures import Aim, Section, in_turns, median, paragraph, progress, seconds, table
from bench.processes import Cost
from bench.stage import Stage

AIM = 1.0
SCRIPTS = Path(__file__).parent / "upgrade"


class Upgrade(NamedTuple):
    """What an upgrade by many replicas cost. tail: seconds from its last commit to their end."""

    cost: Cost
    tail: float


def alembic(stage: Stage, replicas: int, rounds: int, limit: float) -> Section:
    """Upgrade a new database in each round. limit: seconds for what hangs."""
    ini = stage.folder / "alembic.ini"
    ini.write_text(f"[alembic]\nscript_location = {SCRIPTS}\npath_separator = os\n")
    upgrade = [sys.executable, "-m", "alembic", "-c", str(ini), "upgrade", "head"]
    line = shlex.join(upgrade)
    contestants: dict[str, Callable[[], Upgrade]] = {
        name: partial(_upgrade, stage, count, command)
        for name, count, command in (
            (
                "agtool with `--key`",
                replicas,
                lambda: stage.migrate_once("--key", "1", "--", *upgrade),
            ),
            ("agtool", replicas, lambda: stage.migrate_once("--", *upgrade)),
            ("psql, mended: NOWAIT in a loop", replicas, lambda: stage.recipe(line, nowait=True)),
            ("flock(1), one host only", replicas, lambda: stage.flock(*upgrade)),
            ("Alembic alone, no lock", 1, lambda: upgrade),
        )
    }
    results = in_turns(f"{replicas} replicas with Alembic", rounds, contestants, warm_up=False)
    keyed, *_ = results.values()
    rows = [
        [
            name,
            str(1 if name.startswith("Alembic") else replicas),
            median([one.cost.wall for one in upgrades]),
            median([one.tail for one in upgrades]),
            seconds(max(one.tail for one in upgrades)),
            median([one.cost.cpu for one in upgrades]),
        ]
        for name, upgrades in results.items()
    ]
    rows.append(["psql, the naive recipe", str(replicas), "hangs", "hangs", "hangs", ""])
    heads = ["", "replicas", "wall", "tail, median", "tail, longest", "CPU"]
    tail = statistics.median(one.tail for one in keyed)
    what = f"{replicas} replicas with `--key` end after the migration within {seconds(AIM)}"
    return Section(
        "## Replicas with a real Alembic upgrade\n\n"
        + paragraph(
            f"{replicas} replicas run `alembic upgrade head` on an empty database, in {rounds} "
            "rounds. The migration lasts one second and then builds an index with CREATE INDEX "
            "CONCURRENTLY. The tail is the time from the migration's last commit to the end of the "
            "last replica. The URL is `postgresql+psycopg2://`."
        )
        + f"\n\n{table(heads, rows)}\n\n{_naive(stage, replicas, line, limit)}\n\n"
        + paragraph(
            "The mended recipe and flock(1) are the best that peers do here. Every replica starts "
            "Alembic, one after the other; so it is with agtool without a key. With a key, those "
            "who waited find it done."
        ),
        [Aim(what, seconds(tail), tail <= AIM)],
    )


def _upgrade(stage: Stage, replicas: int, command: Callable[[], Sequence[str]]) -> Upgrade:
    with stage.new_database():
        argv, env = command(), stage.env
        cost = stage.processes.wait([stage.processes.start(argv, env) for _ in range(replicas)])
        ((committed, indexes),) = stage.rows(
            "SELECT extract(epoch FROM pg_xact_commit_timestamp(v.xmin)), (SELECT count(*) "
            "FROM pg_index WHERE indexrelid = 'customers_name'::regclass AND indisvalid) "
            "FROM alembic_version v"
        )
        assert indexes == 1, "the upgrade did not build its index"
        return Upgrade(cost, cost.ended - float(committed))


def _naive(stage: Stage, replicas: int, command: str, limit: float) -> str:
    """What becomes of the naive recipe, ended by us when it has hung for `limit` seconds."""
    progress(f"the naive recipe, hanging for {limit:.0f} s")
    with stage.new_database():
        argv, env = stage.recipe(command), stage.env
        left = [stage.processes.start(argv, env) for _ in range(replicas)]
        while left and not _builds_index(stage):
            _, left = stage.processes.wait_until(time.monotonic() + 0.2, left)
        if left:
            _, left = stage.processes.wait_until(time.monotonic() + limit, left)
        still = _builds_index(stage)
        stage.processes.kill(left)
    assert still, "the naive recipe did not hang: does the upgrade still build its index so?"
    return paragraph(
        f"The naive recipe hangs for good. {limit:.0f} s after CREATE INDEX CONCURRENTLY had begun "
        f"to wait, {len(left)} of {replicas} replicas had not ended, and it still waited, for the "
        "snapshots of the replicas in LOCK TABLE. Then we ended it."
    )


def _builds_index(stage: Stage) -> bool:
    """Whether CREATE INDEX CONCURRENTLY waits for other transactions."""
    ((count,),) = stage.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event = 'virtualxid'"
    )
    return bool(count)
