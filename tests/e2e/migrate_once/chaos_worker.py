"""The command of the chaos test: work whose begin and end are on record whatever kills it.

Started as `python -I -S chaos_worker.py PLAN`, where PLAN is `chaos.Plan` as JSON. It imports
nothing slow before its first beat, since work that is not on record cannot be checked.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

BEAT = 0.005
"""Seconds between two beats: how far the recorded end may lie before the real one."""

FAILED = 3
"""Exit code of a worker that is to fail, with its statement still running on the server."""

SQL_FAILED = 7
"""Exit code of a worker whose work in the database failed."""


class Beats:
    """The log of one process: a line at its begin, then one per beat.

    A line is `KIND MONOTONIC_NS REALTIME_NS`; CLOCK_MONOTONIC is the same for all processes.
    """

    def __init__(self, folder: Path, role: str) -> None:
        run_id = os.environ["PGAPPNAME"].rpartition(":")[2]
        name = f"{run_id}.{os.environ['CHAOS_REPLICA']}.{os.getpid()}.{role}"
        self._file = os.open(folder / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
        self.note("begin")

    def note(self, kind: str) -> None:
        """Write one line with one system call, so that a kill leaves whole lines."""
        line = f"{kind} {time.monotonic_ns()} {time.time_ns()}\n"
        os.write(self._file, line.encode())

    def beat_until(self, moment: float) -> None:
        """Beat until time.monotonic() is `moment`."""
        while time.monotonic() < moment:
            self.note("beat")
            time.sleep(BEAT)

    def close_all_others(self) -> None:
        """Close every other descriptor, as a daemon does."""
        os.closerange(0, self._file)
        os.closerange(self._file + 1, 1024)


def escape(folder: Path, seconds: float) -> int:
    """Start a grandchild that leaves the session and closes its descriptors; return its pid."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        beats = Beats(folder, "grandchild")
        beats.close_all_others()
        beats.beat_until(time.monotonic() + seconds)
        os._exit(0)
    return pid


def connect(url: str) -> Any:
    """A connection; a busy machine resets one in some thousands before the server answers."""
    import psycopg2

    give_up = time.monotonic() + 30
    while True:
        try:
            return psycopg2.connect(url, connect_timeout=30)
        except psycopg2.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def work_in_database(plan: dict[str, Any], failed: list[str]) -> None:
    """A row at the begin, then one that is committed `sql_seconds` later."""
    sys.path.append(plan["site_packages"])
    import psycopg2

    row = f"INSERT INTO work (run, note) SELECT '{os.environ['PGAPPNAME'].rpartition(':')[2]}'"
    try:
        connection = connect(plan["url"])
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"{row}, 'begin'")
        if plan["transaction"]:
            cursor.execute("BEGIN")
            cursor.execute(f"{row}, 'first'")
            cursor.execute("SELECT pg_sleep(%s)", (plan["sql_seconds"],))
            cursor.execute(f"{row}, 'second'")
            cursor.execute("COMMIT")
        else:
            # One statement needs nobody at the other end to be committed.
            cursor.execute(f"{row}, 'late' FROM pg_sleep(%s)", (plan["sql_seconds"],))
    except psycopg2.Error as error:
        failed.append(str(error))


def main() -> None:
    """Work as the plan says."""
    plan = json.loads(sys.argv[1])
    folder = Path(plan["folder"])
    beats = Beats(folder, "worker")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if plan["ignores_term"] else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(FAILED))
    began = time.monotonic()
    grandchild = escape(folder, plan["grandchild_seconds"]) if plan["grandchild_seconds"] else 0
    failed: list[str] = []
    sql = threading.Thread(target=work_in_database, args=(plan, failed), daemon=True)
    sql.start()
    beats.beat_until(began + plan["seconds"])
    if plan["fails"]:
        os._exit(FAILED)
    while sql.is_alive() and time.monotonic() < began + 60:
        beats.beat_until(time.monotonic() + BEAT)
    if grandchild and plan["waits"]:
        os.waitpid(grandchild, 0)
    if failed or sql.is_alive():
        sys.stderr.write(f"worker: {failed}\n")
        os._exit(SQL_FAILED)
    beats.note("complete")
    os._exit(0)


if __name__ == "__main__":
    main()
