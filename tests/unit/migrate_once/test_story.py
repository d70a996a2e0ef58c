"""What is told while we wait, and what the fast path leaves alone."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from agtool.migrate_once.acquire import Dying, Leftover, News, NotDone, Waiting
from agtool.migrate_once.backend import NotYet, Session
from agtool.migrate_once.documents import Run
from agtool.migrate_once.leftovers import Left
from agtool.migrate_once.model import Situation, Unfinished
from agtool.migrate_once.patience import Unreachable
from agtool.migrate_once.story import facts, sentence

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
RUN = Run(
    *("1", "shop", None, "shop-1", "running"),
    *(NOW, NOW - timedelta(seconds=10), None, 10.0, None),
)
JAVA = Session("7", "app", "JDBC", "08:20:21 UTC")


@pytest.mark.parametrize(
    ("news", "says"),
    [
        (Unreachable(NotYet("no answer"), 9.0), "no answer; trying again for 7 s"),
        (Waiting(Situation(None, 0)), "waiting for the lock (table t)"),
        (Waiting(Situation(None, 1)), "waiting for the lock (table t); 1 other waiting"),
        (
            Waiting(Situation(RUN, 2)),
            "waiting for the lock, held by shop-1 for 12 s (since 03:03:55 UTC); 2 others waiting",
        ),
        (
            Dying([Unfinished("1", "shop-1", 21.0)], 21.0),
            (
                "got the lock; the previous run (shop-1) has not recorded its end and may still "
                "be stopping: starting in 19 s at the latest"
            ),
        ),
        (
            Leftover(Left([JAVA], [], 9)),
            "got the lock; stopping 1 statement of the previous run on the server",
        ),
        (
            Leftover(Left([], [JAVA], 9)),
            (
                "got the lock; nothing tells whether session 7 of app (JDBC), at work since "
                "08:20:21 UTC works for the previous run: starting in 7 s at the latest"
            ),
        ),
        (Waiting(Situation(None, None)), "waiting for the lock (table t)"),
        (
            Dying([Unfinished("", "", 21.0)], 21.0),
            (
                "got the lock; nothing tells whether an earlier run in this empty database is "
                "still stopping: starting in 19 s at the latest"
            ),
        ),
        (NotDone("k", Situation(None, 0)), "waiting until key k is done; nobody works on it now"),
        (
            NotDone("k", Situation(replace(RUN, key="k"), 3)),
            "waiting until key k is done; shop-1 works on it since 03:03:55 UTC",
        ),
        (
            NotDone("k", Situation(RUN, 0)),
            "waiting until key k is done; shop-1 runs another command since 03:03:55 UTC",
        ),
    ],
)
def test_sentences(news: News, says: str) -> None:
    assert sentence(news, "table t", 2.0) == says
    told = facts(news, 2.0)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", told.pop("code"))
    json.dumps(told)


def test_a_key_that_is_done_imports_neither_tables_nor_documents(tmp_path: Path) -> None:
    code = (
        "import sys; from agtool.app import main; sys.argv = ['agtool', *sys.argv[1:]];"
        "code = main(); print('MODULES', *sys.modules); sys.exit(code)"
    )
    url = f"sqlite:///{tmp_path}/app.db"
    command = ("migrate-once", "--database-url", url, "--key", "k", "--", "true")

    def start() -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", code, *command]
        return subprocess.run(argv, capture_output=True, text=True, check=True)

    start()
    run = start()
    assert "nothing to do" in run.stderr
    modules = run.stdout.rpartition("MODULES ")[2].split()
    own = {name for name in modules if name.startswith("agtool.migrate_once.")}
    assert "agtool.migrate_once.run" in own
    assert (
        not {f"agtool.migrate_once.{name}" for name in ("documents", "status", "supervise")} & own
    )
    assert not any(name.startswith(("rich", "sqlalchemy", "psycopg2")) for name in modules)
