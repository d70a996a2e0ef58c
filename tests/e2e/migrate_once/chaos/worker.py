"""The command of the chaos test: work whose begin and end are on record whatever kills it.

Started as `python -I -S worker.py PLAN`, where PLAN is `replica.Plan` as JSON. It imports
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
        name = f"{os.environ['POD_NAME']}.{os.getpid()}.{role}"
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


def connect(plan: dict[str, Any]) -> Any:
    """A connection that commits each statement, unless there is a BEGIN.

    A busy machine resets one in some thousands before the server answers, which behind a pooler is
    the first statement; and other faults than those of a connection that is there are not the
    command's.
    """
    give_up = time.monotonic() + 30
    while True:
        try:
            connection = _connect(plan["engine"], plan["url"])
            connection.cursor().execute("SELECT 1")
        except Exception:  # each library has its own errors
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return connection


def _connect(engine: str, url: str) -> Any:
    if engine == "sqlite":
        import sqlite3

        file = url.removeprefix("sqlite:///")
        return sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
    if engine == "mysql":
        from urllib.parse import unquote, urlsplit

        import pymysql

        parts = urlsplit(url)
        return pymysql.connect(
            host=parts.hostname or "",
            port=parts.port or 0,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=parts.path[1:],
            autocommit=True,
            connect_timeout=30,
        )
    import psycopg2

    connection = psycopg2.connect(url, connect_timeout=30)
    connection.autocommit = True
    return connection


def late(engine: str, seconds: float) -> str:
    """FROM ..., which lets a statement take so many seconds on the server.

    On MariaDB with a row for each part of it: between rows the server looks whether to stop.
    """
    if engine == "mysql":
        parts = max(1, int(seconds / 0.02))
        return f"FROM (SELECT sum(sleep(0.02)) AS slept FROM seq_1_to_{parts}) AS slow"
    return f"FROM pg_sleep({seconds})"


def work_in_database(plan: dict[str, Any], failed: list[str]) -> None:
    """A row at the begin, then one that is committed `sql_seconds` later."""
    sys.path.append(plan["site_packages"])
    engine, seconds = plan["engine"], plan["sql_seconds"]
    run = os.environ["POD_NAME"]

    def row(note: str, rest: str = "") -> str:
        if engine == "sqlite":
            return f"INSERT INTO work VALUES ('{run}', '{note}', {time.time_ns()})"
        return f"INSERT INTO work (run, note) SELECT '{run}', '{note}' {rest}"

    try:
        cursor = connect(plan).cursor()
        cursor.execute(row("begin"))
        if engine == "sqlite" or plan["transaction"]:
            cursor.execute("BEGIN IMMEDIATE" if engine == "sqlite" else "BEGIN")
            cursor.execute(row("first"))
            if engine == "sqlite":
                time.sleep(seconds)
            else:
                cursor.execute(f"SELECT 1 {late(engine, seconds)}")
            cursor.execute(row("second"))
            cursor.execute("COMMIT")
        else:
            # One statement needs nobody at the other end to be committed.
            cursor.execute(row("late", late(engine, seconds)))
    except Exception as error:  # noqa: BLE001  # each library has its own errors
        failed.append(str(error))


def main() -> None:
    """Work as the plan says."""
    plan = json.loads(sys.argv[1])
    folder = Path(plan["folder"])
    beats = Beats(folder, "worker")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if plan["ignores_term"] else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
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
