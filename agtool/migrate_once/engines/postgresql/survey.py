"""What `--check` wants to know of a PostgreSQL: it only reads, and takes no lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import psycopg2

from agtool.core.finding import Finding
from agtool.migrate_once.backend import Survey
from agtool.migrate_once.documents import Server
from agtool.migrate_once.engines.current import current
from agtool.migrate_once.engines.postgresql import session
from agtool.migrate_once.engines.postgresql.parameters import (
    CONNECT_TIMEOUT,
    parameters,
    prepared,
)
from agtool.migrate_once.engines.runs import LATER_COLUMNS
from agtool.migrate_once.model import HEARTBEAT

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from agtool.migrate_once.engines.postgresql.tables import Tables

_TIMEOUTS = (
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",  # PostgreSQL 17
)

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")

_CONNECTIONS = 3
"""The lock's, one for short messages, and one of COMMAND."""


def survey(connection: Connection, tables: Tables, application_name: str) -> Survey:
    """The server as this account finds it.

    Raises:
        psycopg2.Error: a statement failed.
    """
    with session.transaction(connection, application_name, "READ ONLY") as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), current_user, pg_backend_pid(), "
            "pg_is_in_recovery()"
        )
        version, account, pid, standby = cursor.fetchone() or ("", "", 0, False)
        # A pooler makes up the process id that it gives to a client.
        pooled = pid != connection.get_backend_pid()
        missing = list(_missing(cursor, tables))
        problems = [*_lacking_rights(cursor, tables, missing), *_few_connections(cursor)]
        warnings = [*_timeouts(cursor), *_another_role(cursor)]
    if standby:
        problems.insert(0, session.standby(tables.database).finding())
    pooler = None
    if pooled:
        pooler, findings = _ask_pooler(tables)
        problems += [finding for finding in findings if finding.code == "pooler-timeout"]
        warnings += [finding for finding in findings if finding.code != "pooler-timeout"]
    server = Server("PostgreSQL", version, account, pooler)
    return Survey(server, [what for what, _ in missing], problems, warnings)


# -- rights -------------------------------------------------------------------------------


def _missing(cursor: Cursor, tables: Tables) -> Iterator[tuple[str, str]]:
    """What agtool would create, for people, and the right that it needs for that."""
    cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (tables.table.schema,))
    has_schema = cursor.fetchone() is not None
    if not has_schema:
        yield f"schema {tables.table.schema}", "database"
    for table in (tables.table, tables.table.runs):
        # Not to_regclass, which is refused without a right on the schema.
        cursor.execute(
            "SELECT 1 FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace "
            "WHERE nspname = %s AND relname = %s",
            (table.schema, table.table),
        )
        if cursor.fetchone() is None:
            yield f"table {table}", "schema" if has_schema else "database"
    cursor.execute(
        "SELECT attname::text FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid "
        "JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname = %s AND relname = %s",
        (tables.table.runs.schema, tables.table.runs.table),
    )
    present = {name for (name,) in cursor.fetchall()}
    if present and tables.missing_columns(present):  # an older agtool has made it
        for column in LATER_COLUMNS:
            if column not in present:
                yield f"column {column} of table {tables.table.runs}", "table"


def _lacking_rights(
    cursor: Cursor, tables: Tables, missing: list[tuple[str, str]]
) -> Iterator[Finding]:
    """At most one problem: what the role must not do, and what an administrator has to run."""
    lacking = [
        name
        for name, question, values in _needed(tables, missing)
        if not _holds(cursor, question, values)
    ]
    if lacking:
        yield tables.ask_administrator(f"it has no {', '.join(lacking)}").finding()


def _needed(
    tables: Tables, missing: list[tuple[str, str]]
) -> Iterator[tuple[str, str, tuple[str | None, ...]]]:
    """The rights that agtool needs: for people, and the question whether the role has it."""
    names, places = {what for what, _ in missing}, {of for _, of in missing}
    schema, runs = tables.table.schema, tables.table.runs
    of_runs = (
        "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace "
        "WHERE nspname = %s AND relname = %s"
    )
    if "database" in places:
        question = "SELECT has_database_privilege(current_database(), 'CREATE')"
        yield "CREATE on the database", question, ()
    else:
        for right in ("USAGE", *(["CREATE"] if "schema" in places else [])):
            question = "SELECT has_schema_privilege(%s, %s)"
            yield f"{right} on schema {schema}", question, (schema, right)
    if "table" in places:
        question = f"SELECT pg_has_role(relowner, 'USAGE') {of_runs}"
        yield f"ownership of table {runs}", question, (runs.schema, runs.table)
    if f"table {runs}" not in names:
        for right in _RIGHTS:
            question = f"SELECT has_table_privilege(c.oid, %s) {of_runs}"
            yield f"{right} on table {runs}", question, (right, runs.schema, runs.table)


def _holds(cursor: Cursor, question: str, values: tuple[str | None, ...]) -> bool:
    cursor.execute(question, values)
    return cursor.fetchone() == (True,)


# -- what limits sessions -------------------------------------------------------------------


def _few_connections(cursor: Cursor) -> Iterator[Finding]:
    cursor.execute(
        "SELECT 'role ' || rolname, rolconnlimit FROM pg_roles WHERE rolname = session_user "
        "AND NOT rolsuper UNION ALL SELECT 'database ' || datname, datconnlimit FROM pg_database, "
        "pg_roles WHERE datname = current_database() AND rolname = session_user AND NOT rolsuper"
    )
    for subject, limit in cursor.fetchall():
        if 0 <= limit < _CONNECTIONS:
            yield Finding(
                "connection-limit",
                f"{subject} may have {limit} connections, and agtool and COMMAND together need "
                f"{_CONNECTIONS}",
                f"Raise it: ALTER {subject.partition(' ')[0].upper()} "
                f'"{subject.partition(" ")[2]}" CONNECTION LIMIT -1',
                subject,
            )


def _timeouts(cursor: Cursor) -> Iterator[Finding]:
    # What the session began with; agtool's own transaction has set them to zero.
    cursor.execute(
        "SELECT name, reset_val::bigint FROM pg_settings WHERE name = ANY(%s) "
        "AND reset_val <> '0' ORDER BY name",
        (list(_TIMEOUTS),),
    )
    for name, milliseconds in cursor.fetchall():
        yield Finding(
            "timeout",
            f"{name} is {milliseconds / 1000:g} s in new sessions of this role. agtool turns it "
            "off in the lock's session; in COMMAND's it stays",
            f"If COMMAND has longer work: PGOPTIONS='-c {name}=0' for it.",
            name,
        )
    cursor.execute("SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_read_only'")
    if cursor.fetchone() == ("on",):
        yield Finding(
            "read-only",
            "default_transaction_read_only is on in new sessions of this role: agtool does not "
            "mind, COMMAND may",
            "Turn it off for this role, if COMMAND does not do that itself.",
            "default_transaction_read_only",
        )


def _another_role(cursor: Cursor) -> Iterator[Finding]:
    cursor.execute("SELECT session_user, current_user")
    session_user, current_user = cursor.fetchone() or ("", "")
    if session_user != current_user:
        yield Finding(
            "another-role",
            f"{session_user} acts as {current_user} (ALTER ROLE ... SET role), so agtool may not "
            "be able to end COMMAND's statements after a lost lock",
            f"GRANT pg_signal_backend TO {current_user}",
            f"role {session_user}",
        )


# -- a pooler in between ----------------------------------------------------------------------


def _ask_pooler(tables: Tables) -> tuple[str, list[Finding]]:
    """What PgBouncer's console tells this user, which is mostly nothing."""
    shown: dict[str, str] = {}
    version = ""
    with suppress(psycopg2.Error), ExitStack() as stack:
        database = current(tables.database, CONNECT_TIMEOUT)
        console = prepared(parameters(database, CONNECT_TIMEOUT), stack)
        connection = psycopg2.connect(**{**console, "dbname": "pgbouncer"})
        stack.callback(connection.close)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SHOW VERSION")
            version = str((cursor.fetchone() or ("",))[0])
            cursor.execute("SHOW CONFIG")
            shown = {row[0]: str(row[1]) for row in cursor.fetchall()}
    if not shown:
        return version or "unknown", [
            Finding(
                "pooler",
                "there is a pooler between agtool and the server, whose settings this user may "
                "not read",
                "Its pool_mode has to be transaction or session, idle_transaction_timeout and "
                f"transaction_timeout 0 or long, and there has to be room for {_CONNECTIONS} "
                "connections.",
            )
        ]
    findings = [
        Finding(
            "pooler-timeout",
            f"{name} of the pooler is {shown[name]} s: it ends the lock's transaction",
            f"Set {name} = 0 for this database or user.",
            name,
        )
        for name, least in (("idle_transaction_timeout", 2 * HEARTBEAT), ("transaction_timeout", 0))
        if float(shown.get(name) or 0) > 0 and (not least or float(shown[name]) < least)
    ]
    return f"{version} (pool_mode {shown.get('pool_mode', 'unknown')})", findings
