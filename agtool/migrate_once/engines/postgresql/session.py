"""Sessions of PostgreSQL: from the URL to a connection, transactions, and what errors mean."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.errors
from psycopg2.extensions import POLL_OK, POLL_READ, make_dsn

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.url import Database
from agtool.migrate_once.url.options import translate

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

_CONNECT_TIMEOUT = 10
"""Seconds after which a try to connect gives up, per address; the caller tries again."""

_OTHER_SERVERS = {
    "crdb_version": "CockroachDB",
    "padb_version": "Amazon Redshift",
    "mz_version": "Materialize",
}
"""What they report beside server_version."""

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)
"""Debian and Alpine, Red Hat, Alpine again, SUSE."""


def connect(database: Database, timeout: float = _CONNECT_TIMEOUT) -> Connection:
    """A connection without a transaction: they are begun by hand, with their settings.

    timeout: seconds for which the caller is willing to try.

    Raises:
        NotYet: the server is not there, not ready or full.
        AgtoolError: it refuses us, or the URL's options make no sense.
    """
    try:
        connection: Connection = psycopg2.connect(**parameters(database, timeout))
    except psycopg2.Error as error:
        raise _cannot_connect(database, error) from None
    try:
        _refuse_without_locks(connection)
    except ConfigurationError:
        connection.close()
        raise
    connection.autocommit = True
    return connection


@contextmanager
def transaction(connection: Connection, application_name: str) -> Iterator[Cursor]:
    """A short transaction; rolled back by an exception."""
    with connection.cursor() as cursor:
        begin(cursor, application_name)
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(psycopg2.Error):
                cursor.execute("ROLLBACK")
            raise


def begin(cursor: Cursor, application_name: str) -> None:
    """BEGIN, untouched by what the role or the database set as defaults.

    The name is ours for the transaction only: given when connecting, it would stay with a
    pooler's session and name the next client. A crash of the server must not forget what we
    committed, so synchronous_commit may be anything but off.
    """
    timeouts = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
    if cursor.connection.server_version >= 170000:
        timeouts.append("transaction_timeout")
    cursor.execute(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        + "".join(f"; SET LOCAL {name} = 0" for name in timeouts)
        + "; SET LOCAL application_name = %s"
        "; SELECT set_config('synchronous_commit', 'local', true) "
        "WHERE current_setting('synchronous_commit') = 'off'",
        (application_name,),
    )


def refused(database: Database, error: psycopg2.Error) -> AgtoolError:
    """What an error of a statement means."""
    text = first_line(error)
    if "closed the connection" in text and _pools_statements(database):
        return ConfigurationError(
            f"the pooler at {database} is in statement pooling mode, "
            "where no transaction is possible",
            hint="Use pool_mode transaction or session, or the address of PostgreSQL itself.",
        )
    if "recovery" in text or isinstance(error, psycopg2.errors.ReadOnlySqlTransaction):
        return DeniedError(
            f"{database} is a standby or read-only: {database.redact(text)}",
            hint="A lock on a standby does not stop others. Give the URL of the primary.",
        )
    gone = isinstance(error, psycopg2.DatabaseError) and error.pgcode is None
    if gone or isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return NotYet(f"lost the connection to {database}: {database.redact(text)}")
    return ConfigurationError(f"{database} refused a statement: {database.redact(text)}")


def first_line(error: psycopg2.Error) -> str:
    """The error's message in one line."""
    diagnosis = error.diag.message_primary
    return diagnosis or (str(error).strip().splitlines() or ["the connection was closed"])[0]


def parameters(database: Database, timeout: float) -> dict[str, Any]:
    """libpq's keywords, translated as SQLAlchemy's psycopg2 dialect does."""
    query = translate(database, _is_libpq).values
    wanted = int(query.pop("connect_timeout", _CONNECT_TIMEOUT))
    parameters: dict[str, Any] = {
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "password": database.password,
        "dbname": database.database,
        "connect_timeout": max(2, min(wanted, round(timeout))),
        # Our packets unanswered for so long mean that the connection is gone.
        "tcp_user_timeout": 5000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    if len(database.query.get("host", ())) > 1:  # SQLAlchemy's: ?host=a:5432&host=b:5432
        hosts = [host.rpartition(":") for host in database.query["host"]]
        query["host"] = ",".join(h if p.isdigit() and h else h + c + p for h, c, p in hosts)
        if any(p.isdigit() and h for h, _, p in hosts):
            query["port"] = ",".join(p if p.isdigit() and h else "" for h, _, p in hosts)
    elif re.fullmatch(r"[^:,/]+:[0-9]+", query.get("host", "")):
        query["host"], _, query["port"] = query["host"].partition(":")
    _name_authority(database, query)
    parameters.update(query)
    if "," in str(parameters["host"]):
        parameters.setdefault("target_session_attrs", "read-write")
    return {key: value for key, value in parameters.items() if value is not None}


def warnings(database: Database) -> tuple[str, ...]:
    """What is to be said of the URL's options.

    Raises:
        ConfigurationError: one cannot be used.
    """
    return translate(database, _is_libpq).warnings


def _is_libpq(name: str) -> bool:
    """Whether this libpq has such an option."""
    try:
        make_dsn(**{name: "1"})
    except psycopg2.ProgrammingError:
        return False
    return name.isidentifier()


def _name_authority(database: Database, query: dict[str, str]) -> None:
    """Name the file of the system's certificates where these are meant.

    They are where they are asked for, or where an option of Node's or Java's has become
    verify-full; and with verify-full alone, as Go and Node read it, where libpq has no file.
    """
    if query.get("sslrootcert", "system") != "system":
        return
    if "sslrootcert" not in query and (
        query.get("sslmode") != "verify-full" or database.driver not in (None, "pgjdbc")
    ):
        return
    own = os.environ.get("PGSSLROOTCERT") or os.path.exists(  # noqa: PTH110  # fails without HOME
        os.path.expanduser("~/.postgresql/root.crt")  # noqa: PTH111
    )
    if own and "sslrootcert" not in database.options:
        query.pop("sslrootcert", None)
    else:
        query["sslrootcert"] = _system_certificates()


def _system_certificates() -> str:
    """The system's certificates. The libpq in psycopg2's wheels looks for those of its makers."""
    import ssl

    places = (ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((place for place in places if place and Path(place).is_file()), "system")


def _refuse_without_locks(connection: Connection) -> None:
    """Refuse a server that only speaks the protocol; it says so when a connection is made."""
    version = connection.get_parameter_status("server_version") or ""
    found = [name for key, name in _OTHER_SERVERS.items() if connection.get_parameter_status(key)]
    if found or "-YB-" in version:
        from agtool.migrate_once.url.schemes import without_locks

        raise without_locks(found[0] if found else "YugabyteDB")


def _pools_statements(database: Database) -> bool:
    """Whether a pooler answers BEGIN with its error about statement pooling mode.

    It then closes the connection, and psycopg2's blocking calls know only about that; its
    asynchronous ones tell the server's last words.
    """
    give_up = time.monotonic() + _CONNECT_TIMEOUT
    connection: Connection | None = None
    try:
        connection = psycopg2.connect(**parameters(database, _CONNECT_TIMEOUT), async_=True)
        if _poll(connection, give_up):
            connection.cursor().execute("BEGIN")
            _poll(connection, give_up)
    except psycopg2.Error as error:
        return "statement pooling mode" in str(error)
    finally:
        if connection is not None:
            connection.close()
    return False


def _poll(connection: Connection, give_up: float) -> bool:
    """Go on with an asynchronous connection's work; whether it was done before `give_up`."""
    while (state := connection.poll()) != POLL_OK:
        ends = [connection.fileno()]
        read, write = (ends, []) if state == POLL_READ else ([], ends)
        if not any(select.select(read, write, [], max(0.0, give_up - time.monotonic()))):
            return False
    return True


_PERMANENT = {
    "password authentication failed": "Check user and password in the database URL.",
    # PgBouncer's words for the same.
    "SASL authentication failed": "Check user and password in the database URL.",
    "no password supplied": "The database URL holds no password.",
    "fe_sendauth": "The database URL holds no password.",
    "authentication failed": "Check how pg_hba.conf lets this user in.",
    "no pg_hba.conf entry": "Check pg_hba.conf: user, database, address, and whether it wants SSL.",
    "certificate file": "Check sslrootcert, sslcert and sslkey in the database URL.",
    "does not exist": "Check the database's and the user's name in the database URL.",
    "permission denied": "Grant this user CONNECT on the database.",
    "is not permitted to log in": "Give this role LOGIN.",
    "server does not support SSL": "Change sslmode in the database URL, or enable SSL.",
    "certificate verify failed": "Check sslrootcert in the database URL.",
    "no such database": "PgBouncer does not know this database.",
    "no such user": "PgBouncer does not know this user.",
    "is not read-write": "Give the URL of the primary.",
    "session is read-only": "Give the URL of the primary.",
}


def _cannot_connect(database: Database, error: psycopg2.Error) -> AgtoolError:
    """libpq gives no SQLSTATE here, so the text decides; unknown texts are worth a retry."""
    text = str(error).strip()
    if re.match(r'invalid \S+ value: "', text):
        line = database.redact(text.splitlines()[0])
        return ConfigurationError(f"the database URL has an {line}")
    for clue, hint in _PERMANENT.items():
        if clue in text:
            line = next(line for line in text.splitlines() if clue in line)
            reason = database.redact(_strip(line))
            return DeniedError(f"cannot log in to {database}: {reason}", hint=hint)
    reason = database.redact(_strip(text.splitlines()[0] if text else "no answer"))
    return NotYet(
        f"cannot connect to {database}: {reason}",
        hint="Check that host and port are right and that the server is up and reachable.",
    )


def _strip(line: str) -> str:
    """libpq's line without its own preamble, which repeats the address."""
    return line.rpartition("FATAL:")[2].strip() or line.strip()
