"""Sessions of MySQL and MariaDB: from the URL to a connection, and what errors mean."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR, ER

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.engines.current import current
from agtool.migrate_once.engines.mysql.parameters import CONNECT_TIMEOUT, parameters
from agtool.migrate_once.model import REPLY

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from agtool.migrate_once.url import Database

    BaseConnection = Connection[Cursor]
else:
    BaseConnection = Connection


class Session(BaseConnection):
    """A connection that does not wait for an answer for longer than REPLY seconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_timeout=options["connect_timeout"], write_timeout=REPLY, **options)
        self._read_timeout = REPLY  # PyMySQL has one for the greeting and all that follows

    def fileno(self) -> int:
        """The socket's descriptor, for which PyMySQL has no public name."""
        return int(self._sock.fileno())  # type: ignore[attr-defined]

    def thread(self) -> int:
        """The number that the other side gave this session when it was made."""
        return int(self.thread_id())  # type: ignore[no-untyped-call]


def connect(database: Database, silence: int, timeout: float = CONNECT_TIMEOUT) -> Session:
    """A session with settings of its own, whatever the server's or the user's defaults.

    silence: seconds after which the server shall end it, and free its lock, if we are silent.
    timeout: seconds for which the caller is willing to try.

    Raises:
        NotYet: the server is not there, not ready or full.
        AgtoolError: it refuses us, or the URL's options make no sense.
    """
    database = current(database, timeout)
    options = parameters(database)
    options["connect_timeout"] = max(2, min(options["connect_timeout"], round(timeout)))
    try:
        session = Session(**options)
    except UnicodeError:
        raise ConfigurationError(
            f"{database.host!r} is not a valid host name", hint="Correct the database URL."
        ) from None
    except RuntimeError as error:  # caching_sha2_password without the package cryptography
        raise ConfigurationError(
            f"cannot log in to {database}: {database.redact(str(error))}",
            hint="Install it: pip install 'agtool-cli[mysql]'",
        ) from None
    except pymysql.Error as error:
        raise _cannot_connect(database, error) from None
    try:
        _refuse_without_locks(str(session.get_server_info()))  # type: ignore[no-untyped-call]
        with session.cursor() as cursor:
            # The timeouts count seconds of silence between and inside requests. Nobody's lock on
            # the runs table is worth waiting long for: a heartbeat has REPLY seconds.
            # What MariaDB and MySQL do not share stands in comments that only one of them reads.
            cursor.execute(
                f"SET SESSION wait_timeout = {silence}, net_read_timeout = {silence}, "
                f"net_write_timeout = {silence}, lock_wait_timeout = 1, "
                "innodb_lock_wait_timeout = 1, time_zone = '+00:00', "
                "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION' "
                "/*M!100101 , max_statement_time = 0 */ /*!50708 , max_execution_time = 0 */"
            )
            cursor.execute(
                "SHOW GLOBAL VARIABLES WHERE variable_name IN ('binlog_format', 'version_comment')"
            )
            variables = {str(name).lower(): str(value) for name, value in cursor.fetchall()}
            _refuse_without_locks(variables.get("version_comment", ""))
            # Such a server refuses all changes in READ COMMITTED, which lock less than others.
            if variables.get("binlog_format") != "STATEMENT":
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    except pymysql.Error as error:
        try:
            _refuse_without_locks(_version_comment(session))
        finally:
            close(session)
        raise refused(database, error) from error
    except ConfigurationError:
        close(session)
        raise
    return session


_OTHER_SERVERS = {
    "tidb": "TiDB",
    "vitess": "Vitess",
    "planetscale": "PlanetScale",
    "singlestore": "SingleStore",
    "memsql": "SingleStore",
    "oceanbase": "OceanBase",
    "starrocks": "StarRocks",
    "doris": "Apache Doris",
    "clickhouse": "ClickHouse",
    "matrixone": "MatrixOne",
    "dolt": "Dolt",
    "tddl": "PolarDB-X",
}
"""What their version or its comment holds.

Their GET_LOCK is missing, or another: TiDB's (since 6.1) is a transaction that the cluster ends
after an hour, Vitess's is one shard's, and it is allowed in no statement with anything else.
https://docs.pingcap.com/tidb/stable/locking-functions
"""


def _refuse_without_locks(version: str) -> None:
    found = [product for mark, product in _OTHER_SERVERS.items() if mark in version.lower()]
    if found:
        from agtool.migrate_once.url.schemes import without_locks

        raise without_locks(found[0], "MySQL")


def _version_comment(session: Session) -> str:
    """Empty: the server does not say."""
    with suppress(pymysql.Error, OSError), session.cursor() as cursor:
        cursor.execute("SELECT @@version_comment")
        return str((cursor.fetchone() or ("",))[0])
    return ""


def close(session: Session) -> None:
    """Close; never raises."""
    with suppress(pymysql.Error, OSError):  # closed before
        session.close()


def abandon(session: Session) -> None:
    """Close without a word, so that the server counts it among those that did not end in order."""
    session._force_close()  # type: ignore[attr-defined]  # noqa: SLF001  # it has no public name


# -- errors -------------------------------------------------------------------------------

_PASSWORD = {
    ER.ACCESS_DENIED_ERROR: "Check the user and the password that agtool is given.",
    1820: "Give this account a new password.",
    1862: "Give this account a new password.",
}
"""Permanent, unless a file or a command may give another one."""

_NO_DATABASE = {
    ER.BAD_DB_ERROR: "Create the database, or correct its name.",
    # Which is also what a user hears who could not see the database if it was there.
    ER.DBACCESS_DENIED_ERROR: "Create the database, and grant this user rights on it.",
}

# Permanent reasons not to be let in; numbers above 1862 that PyMySQL does not name.
_NO_ENTRY = {
    1698: "This account logs in by another means than a password.",
    ER.HOST_NOT_PRIVILEGED: "Let this user in from this host: CREATE USER 'name'@'host'.",
    ER.HOST_IS_BLOCKED: "Run FLUSH HOSTS on the server.",
    ER.NOT_SUPPORTED_AUTH_MODE: "Choose an authentication plugin that PyMySQL supports.",
    2059: "Choose an authentication plugin that PyMySQL supports.",
    3118: "Unlock this account.",
    3159: "The server wants TLS: add ssl_mode=REQUIRED to the database URL.",
    4151: "Unlock this account.",
}

NO_RIGHT = {
    ER.DBACCESS_DENIED_ERROR,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
}
"""Numbers of errors for want of a privilege."""

_READ_ONLY = {1290, 1792, 1836}

_LOCKED_BY_OTHERS = {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}

_NOT_YET = {
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    ER.CON_COUNT_ERROR,
    ER.SERVER_SHUTDOWN,
    ER.TOO_MANY_USER_CONNECTIONS,
    1047,  # a Galera node that has not joined its cluster yet
    1226,  # max_user_connections, max_queries_per_hour
    1317,  # KILL QUERY
    1927,  # KILL, as MariaDB says it
    *_LOCKED_BY_OTHERS,
}


_ENDED = {ER.SERVER_SHUTDOWN, 1927, 3169, 4031}
"""A session's last words: shutdown, KILL as MariaDB and as MySQL say it, silence."""

_CR_LAST = 2999
"""Numbers from CR_ERROR_FIRST to this are the driver's own."""


def error_number(error: pymysql.Error) -> int:
    """The server's or the driver's error number; 0: none (a closed connection)."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def locked_by_others(error: BaseException | None) -> bool:
    """Whether another session's lock on a table or row was in the way; worth another try."""
    return isinstance(error, pymysql.Error) and error_number(error) in _LOCKED_BY_OTHERS


def is_lost(error: pymysql.Error) -> bool:
    """Whether the connection has failed, rather than a statement on it."""
    number = error_number(error)
    return number in _ENDED or not number or CR.CR_ERROR_FIRST <= number <= _CR_LAST


def text(database: Database, error: pymysql.Error) -> str:
    """The message in one line, without the password."""
    message = database.redact(str(error.args[1]) if len(error.args) > 1 else str(error))
    return (message.strip().splitlines() or ["the connection was closed"])[0]


def _cannot_connect(database: Database, error: pymysql.Error) -> AgtoolError:
    """Unknown reasons are worth a retry."""
    reason = text(database, error)
    if error_number(error) in _PASSWORD:
        return _not_let_in(database, reason, _PASSWORD[error_number(error)])
    if error_number(error) in _NO_ENTRY:
        return DeniedError(
            f"cannot log in to {database}: {reason}", hint=_NO_ENTRY[error_number(error)]
        )
    cause = error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return DeniedError(
            f"cannot trust {database}: {cause.verify_message}",
            hint="Check ssl_ca in the database URL.",
        )
    if error_number(error) == CR.CR_SSL_CONNECTION_ERROR:
        return DeniedError(
            f"cannot encrypt the connection to {database}: {reason}",
            hint="Enable TLS on the server, or remove the ssl options from the database URL.",
        )
    return NotYet(
        f"cannot connect to {database}: {reason}",
        hint=_NO_DATABASE.get(
            error_number(error),
            "Check that host and port are right and that the server is up and reachable.",
        ),
    )


def _not_let_in(database: Database, reason: str, hint: str) -> AgtoolError:
    message = f"cannot log in to {database}: {reason}"
    if database.renewal is None:
        return DeniedError(message, hint=hint)
    database.renewal.refused()
    return NotYet(message, hint=hint)


def replica(database: Database, reason: str) -> NotYet:
    """The server does not take writes; it may be promoted."""
    return NotYet(
        f"{database} is a replica or read-only: {reason}",
        hint="A lock on a replica does not stop others. Give the URL of the primary, or promote "
        "this server.",
    )


def refused(database: Database, error: pymysql.Error) -> AgtoolError:
    """What a statement's error means to the caller."""
    reason = text(database, error)
    if error_number(error) in _READ_ONLY:
        return replica(database, reason)
    if error_number(error) in _NOT_YET or isinstance(error, pymysql.InterfaceError):
        return NotYet(f"no answer from {database}: {reason}")
    return ConfigurationError(f"{database} refused a statement: {reason}")
