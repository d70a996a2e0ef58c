"""Sessions of PostgreSQL: from the URL to a connection, transactions, and what errors mean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import psycopg2

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.engines.current import current
from agtool.migrate_once.engines.postgresql.parameters import (
    CONNECT_TIMEOUT,
    parameters,
    prepared,
)
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from agtool.migrate_once.engines.postgresql.diagnosis import Answer

Access = Literal["READ WRITE", "READ ONLY"]
"""What a transaction may do; one that reads only is possible on a standby too."""

_OTHER_SERVERS = {
    "crdb_version": "CockroachDB",
    "padb_version": "Amazon Redshift",
    "mz_version": "Materialize",
}
"""What they report beside server_version."""

_ANSWER_TIMEOUT = 3
"""Seconds for an answer that came at once before."""

_READ_ONLY = "25006"
_NOT_SUPPORTED = "0A000"
"""SQLSTATEs: read_only_sql_transaction, feature_not_supported"""


def connect(database: Database, timeout: float = CONNECT_TIMEOUT) -> Connection:
    """A connection without a transaction: they are begun by hand, with their settings.

    timeout: seconds for which the caller is willing to try.

    Raises:
        NotYet: the server is not there, not ready or full.
        AgtoolError: it refuses us, or the URL's options make no sense.
    """
    database = current(database, timeout)
    with ExitStack() as files:
        ready = prepared(parameters(database, timeout), files)
        give_up = time.monotonic() + ready["connect_timeout"]
        try:
            connection: Connection = psycopg2.connect(**ready)
        except (psycopg2.Error, UnicodeDecodeError) as error:
            from agtool.migrate_once.engines.postgresql import diagnosis

            # After a time-out there is nobody to ask; who has just answered does so again.
            left = min(_ANSWER_TIMEOUT, give_up - time.monotonic())
            answer = diagnosis.ask(ready, time.monotonic() + left) if left > 0 else None
            any_server = ready.get("target_session_attrs", "any") == "any"
            text = diagnosis.words(error)
            raise diagnosis.explained(database, text, answer, any_server=any_server) from None
    try:
        _refuse_without_locks(connection)
    except ConfigurationError:
        connection.close()
        raise
    connection.autocommit = True
    return connection


@contextmanager
def transaction(
    connection: Connection, application_name: str, access: Access = "READ WRITE"
) -> Iterator[Cursor]:
    """A short transaction; rolled back by an exception."""
    with connection.cursor() as cursor:
        begin(cursor, application_name, access)
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(psycopg2.Error):
                cursor.execute("ROLLBACK")
            raise


@contextmanager
def savepoint(cursor: Cursor) -> Iterator[Cursor]:
    """A part of a transaction that may fail: an exception rolls that back, and nothing before."""
    cursor.execute("SAVEPOINT part")
    try:
        yield cursor
    except BaseException:
        with suppress(psycopg2.Error):
            cursor.execute("ROLLBACK TO SAVEPOINT part")
        raise


def begin(cursor: Cursor, application_name: str, access: Access = "READ WRITE") -> None:
    """BEGIN, untouched by what the role or the database set as defaults.

    The name is ours for the transaction only: given when connecting, it would stay with a
    pooler's session and name the next client. A crash of the server must not forget what we
    committed, so synchronous_commit may be anything but off.
    """
    timeouts = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
    if cursor.connection.server_version >= 170000:
        timeouts.append("transaction_timeout")
    cursor.execute(
        f"BEGIN ISOLATION LEVEL READ COMMITTED {access}"
        + "".join(f"; SET LOCAL {name} = 0" for name in timeouts)
        + "; SET LOCAL application_name = %s"
        "; SELECT set_config('synchronous_commit', 'local', true) "
        "WHERE current_setting('synchronous_commit') = 'off'",
        (application_name,),
    )


def refused(database: Database, error: psycopg2.Error) -> AgtoolError:
    """What an error of a statement means, by its SQLSTATE; a lost connection has none."""
    text = first_line(error)
    if error.pgcode == _READ_ONLY or (error.pgcode == _NOT_SUPPORTED and _is_standby(database)):
        return standby(database)
    gone = isinstance(error, psycopg2.DatabaseError) and error.pgcode is None
    if gone and (answer := _ask(database, "BEGIN")) and answer.pools_statements:
        # psycopg2's blocking calls know only that the pooler closed the connection.
        return ConfigurationError(
            f"the pooler at {database} is in statement pooling mode, "
            "where no transaction is possible",
            hint="Use pool_mode transaction or session, or the address of PostgreSQL itself.",
        )
    if gone or isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return NotYet(f"lost the connection to {database}: {database.redact(text)}")
    return ConfigurationError(f"{database} refused a statement: {database.redact(text)}")


def _is_standby(database: Database) -> bool:
    """A standby refuses READ WRITE with a code of many meanings, and writing with its own."""
    answer = _ask(database, "BEGIN; CREATE TEMPORARY TABLE agtool_standby () ON COMMIT DROP")
    return answer is not None and answer.code == _READ_ONLY


def _ask(database: Database, statement: str) -> Answer | None:
    from agtool.migrate_once.engines.postgresql import diagnosis

    with suppress(AgtoolError), ExitStack() as files:
        ready = prepared(parameters(current(database, CONNECT_TIMEOUT), CONNECT_TIMEOUT), files)
        return diagnosis.ask(ready, time.monotonic() + _ANSWER_TIMEOUT, statement)
    return None


def standby(database: Database) -> NotYet:
    """The server does not take writes, or not yet."""
    return NotYet(
        f"{database} is a standby or read-only",
        hint="A lock on a standby does not stop others. Give the URL of the primary, or promote "
        "this server.",
    )


def first_line(error: psycopg2.Error) -> str:
    """The error's message in one line."""
    diagnosis = error.diag.message_primary
    return diagnosis or (str(error).strip().splitlines() or ["the connection was closed"])[0]


def _refuse_without_locks(connection: Connection) -> None:
    """Refuse a server that only speaks the protocol; it says so when a connection is made."""
    version = connection.get_parameter_status("server_version") or ""
    found = [name for key, name in _OTHER_SERVERS.items() if connection.get_parameter_status(key)]
    if found or "-YB-" in version:
        from agtool.migrate_once.url.schemes import without_locks

        raise without_locks(found[0] if found else "YugabyteDB")
