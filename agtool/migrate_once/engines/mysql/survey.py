"""What `--check` wants to know of a MySQL or MariaDB: it only reads, and takes no lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pymysql

from agtool.core.errors import AgtoolError
from agtool.core.finding import Finding
from agtool.migrate_once.backend import Survey
from agtool.migrate_once.documents import Server
from agtool.migrate_once.engines.mysql.session import NO_RIGHT, Session, error_number
from agtool.migrate_once.engines.mysql.tables import MISSING, READ_ONLY, Tables
from agtool.migrate_once.engines.runs import LATER_COLUMNS

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_TIMEOUTS = {
    "wait_timeout": 28800,
    "idle_transaction_timeout": 0,  # MariaDB
    "idle_write_transaction_timeout": 0,
    "max_statement_time": 0,
    "max_execution_time": 0,  # MySQL
}
"""What may end sessions or statements, and the values that the servers come with."""

_CONNECTIONS = 3
"""The lock's, one for short messages, and one of COMMAND."""

_QUERIES = 10_000
"""An hour; the heartbeat alone has two statements a second at most."""


def survey(session: Session, tables: Tables) -> Survey:
    """The server as this account finds it.

    Raises:
        pymysql.Error: a statement failed.
    """
    with session.cursor() as cursor:
        cursor.execute("SELECT version(), @@version_comment, current_user(), connection_id()")
        version, comment, account, ident = cursor.fetchone() or ("", "", "", 0)
        problems = [*_replica(cursor, tables), *_limits(cursor)]
        creates: list[str] = []
        later: list[str] = []
        try:
            cursor.execute(f"SELECT * FROM {tables.runs.table} LIMIT 0")
            present = {column[0] for column in cursor.description or ()}
            later = tables.missing_columns(present)  # an older agtool has made it
            names = [name for name in LATER_COLUMNS if name not in present]
            creates += [f"column {name} of table {tables.table.runs}" for name in names]
        except pymysql.Error as error:
            if error_number(error) in MISSING:
                creates.append(f"table {tables.table.runs}")
            elif error_number(error) not in NO_RIGHT:
                raise
        missing = bool(creates) and not later
        problems += _lacking_rights(cursor, tables, later, missing=missing)
        warnings = [*_timeouts(cursor), *_galera(cursor)]
    product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    # A proxy makes up the number that it gives to a client.
    proxied = "ProxySQL" in comment or session.thread() != ident
    pooler = "ProxySQL" if "ProxySQL" in comment else "unknown" if proxied else None
    if proxied:
        warnings.append(
            Finding(
                "pooler",
                "there is a proxy between agtool and the server",
                "It has to leave each session with one server: GET_LOCK belongs to a session.",
            )
        )
    return Survey(Server(product, version, account, pooler), creates, problems, warnings)


def _replica(cursor: Cursor, tables: Tables) -> Iterator[Finding]:
    cursor.execute(f"SELECT {READ_ONLY}")
    try:
        tables.refuse_replica(*(cursor.fetchone() or ()))
    except AgtoolError as error:
        yield error.finding()


def _lacking_rights(
    cursor: Cursor, tables: Tables, later: list[str], *, missing: bool
) -> Iterator[Finding]:
    """At most one problem: the first right that is missing, and what gives it.

    To prepare a statement needs the same rights as to execute it, and does nothing.
    """
    runs = tables.runs
    statements = (
        [runs.ddl]
        if missing
        else [
            f"SELECT run_id FROM {runs.table}",
            f"INSERT INTO {runs.table} (run_id) VALUES ('')",
            f"UPDATE {runs.table} SET run_id = run_id",
            f"DELETE FROM {runs.table}",
            *later,
        ]
    )
    for statement in statements:
        try:
            cursor.execute("PREPARE agtool_check FROM %s", (statement,))
        except pymysql.Error as error:
            if error_number(error) not in NO_RIGHT:
                raise
            yield tables.ask_administrator(str(error.args[-1])).finding()
            return
        cursor.execute("DEALLOCATE PREPARE agtool_check")


def _limits(cursor: Cursor) -> Iterator[Finding]:
    """Limits of the account that a lock or its heartbeat would meet."""
    cursor.execute("SELECT @@session.max_user_connections")
    (most,) = cursor.fetchone() or (0,)
    if 0 < int(most) < _CONNECTIONS:
        yield Finding(
            "connection-limit",
            f"this account may have {most} connections, and agtool and COMMAND together need "
            f"{_CONNECTIONS}",
            "Raise it: ALTER USER ... WITH MAX_USER_CONNECTIONS 0",
            "MAX_USER_CONNECTIONS",
        )
    try:
        cursor.execute("SHOW CREATE USER CURRENT_USER()")
    except pymysql.Error:
        return  # an old server, or one that does not tell
    created = " ".join(map(str, cursor.fetchone() or ()))
    for name in ("MAX_QUERIES_PER_HOUR", "MAX_UPDATES_PER_HOUR", "MAX_CONNECTIONS_PER_HOUR"):
        limit = re.search(rf"\b{name} (\d+)", created)
        if limit and 0 < int(limit[1]) < _QUERIES:
            yield Finding(
                "account-limit",
                f"this account has {name} {limit[1]}: the server would refuse the lock's heartbeat "
                "or the waiters within an hour",
                f"Take it away: ALTER USER ... WITH {name} 0",
                name,
            )


def _timeouts(cursor: Cursor) -> Iterator[Finding]:
    marks = ", ".join(["%s"] * len(_TIMEOUTS))
    cursor.execute(f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({marks})", tuple(_TIMEOUTS))
    for name, value in cursor.fetchall():
        usual = _TIMEOUTS[name.lower()]
        if float(value) > 0 and (not usual or float(value) < usual):
            unit = "ms" if name == "max_execution_time" else "s"
            yield Finding(
                "timeout",
                f"{name} is {float(value):g} {unit} in new sessions. The lock's session has a "
                "setting of its own; COMMAND's have this one",
                f"If COMMAND has longer work or longer pauses: SET SESSION {name} in its sessions.",
                name,
            )


def _galera(cursor: Cursor) -> Iterator[Finding]:
    cursor.execute("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
    if cursor.fetchone() == ("wsrep_on", "ON"):
        yield Finding(
            "galera",
            "the server is a node of a Galera cluster, whose nodes do not share locks",
            "Give every replica the address of the same node.",
        )
