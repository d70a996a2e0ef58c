"""Sessions of MySQL and MariaDB: from the URL to a connection, and what errors mean."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT, CR, ER

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.model import REPLY
from agtool.migrate_once.url.options import Translated, translate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymysql.cursors import Cursor

    from agtool.migrate_once.url import Database

    BaseConnection = Connection[Cursor]
else:
    BaseConnection = Connection

# A try to connect gives up after this many seconds; the caller tries again. A server that looks
# up our name in a slow DNS greets us late, so this is longer than any later answer may take.
_CONNECT_TIMEOUT = 10

_VERSIONS = {
    "0": ssl.TLSVersion.TLSv1,
    "1": ssl.TLSVersion.TLSv1_1,
    "2": ssl.TLSVersion.TLSv1_2,
    "3": ssl.TLSVersion.TLSv1_3,
}


class Session(BaseConnection):
    """A connection that does not wait for an answer for longer than REPLY seconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_timeout=options["connect_timeout"], write_timeout=REPLY, **options)
        self._read_timeout = REPLY  # PyMySQL has one for the greeting and all that follows

    def fileno(self) -> int:
        """The socket's descriptor, for which PyMySQL has no public name."""
        return int(self._sock.fileno())  # type: ignore[attr-defined]


def connect(database: Database, silence: int, timeout: float = _CONNECT_TIMEOUT) -> Session:
    """A session with settings of its own, whatever the server's or the user's defaults.

    silence: seconds after which the server shall end it, and free its lock, if we are silent.
    timeout: seconds for which the caller is willing to try.

    Raises:
        NotYet: the server is not there, not ready or full.
        AgtoolError: it refuses us, or the URL's options make no sense.
    """
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
            hint="Install it: pip install 'agtool[mysql]'",
        ) from None
    except pymysql.Error as error:
        raise _cannot_connect(database, error) from None
    try:
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
            cursor.execute("SHOW GLOBAL VARIABLES LIKE 'binlog_format'")
            # Such a server refuses all changes in READ COMMITTED, which lock less than others.
            if cursor.fetchone() != ("binlog_format", "STATEMENT"):
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    except pymysql.Error as error:
        close(session)
        raise refused(database, error) from error
    return session


def close(session: Session) -> None:
    """Close; never raises."""
    with suppress(pymysql.Error, OSError):  # closed before
        session.close()


# -- options ------------------------------------------------------------------------------


def parameters(database: Database) -> dict[str, Any]:
    """PyMySQL's parameters for what the URL says.

    Raises:
        ConfigurationError: an option cannot be used.
    """
    query = _translated(database).values
    options: dict[str, Any] = {
        "host": database.host,
        "port": database.port or 3306,
        "user": database.user,
        # PyMySQL would write a str in Latin-1; servers hash what clients send, mostly UTF-8.
        "password": (database.password or "").encode(),
        "database": database.database,
        "connect_timeout": int(query.get("connect_timeout", _CONNECT_TIMEOUT)),
        "charset": "utf8mb4",
        "autocommit": True,
        # An UPDATE counts the rows that it found, not only those that it changed.
        "client_flag": CLIENT.FOUND_ROWS,
        "program_name": "agtool migrate-once",
        **_tls(database, query),
    }
    for key in ("unix_socket", "bind_address"):
        if key in query:
            options[key] = query[key]
    return options


def warnings(database: Database) -> tuple[str, ...]:
    """What is to be said of the URL's options.

    Raises:
        ConfigurationError: one cannot be used.
    """
    return _translated(database).warnings


def _translated(database: Database) -> Translated:
    return translate(database, lambda _: False)


def _tls(database: Database, query: Mapping[str, str]) -> dict[str, Any]:
    """The encryption that the URL asks for; by itself PyMySQL uses TLS if the server has it."""
    mode = query.get("ssl_mode", "")
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    files = {key[4:]: query[key] for key in query if key.startswith("ssl_")}
    verify_cert, names = files.get("verify_cert"), files.get("verify_identity")
    versions = query.get("tls_versions", "")
    wanted = (
        "ssl" in query
        or mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
        or bool(versions or files.keys() - {"mode"})
    )
    if not wanted:
        return {}
    if verify_cert == "false" and (mode.startswith("VERIFY") or names == "true"):
        raise ConfigurationError(
            "the database URL wants the server's certificate both verified and not verified",
            hint="Leave out one of its options: ssl_mode, ssl_verify_cert, "
            "ssl_verify_identity, or another connector's name for one of them.",
        )
    has_ca = "ca" in files or "capath" in files
    by_default = has_ca and not mode
    identity = mode == "VERIFY_IDENTITY" or (names == "true" if names else by_default)
    verify = identity or mode == "VERIFY_CA" or has_ca
    if verify_cert is not None:
        verify = verify_cert == "true"
    inline = files.get("ca", "").startswith("-----BEGIN")
    try:
        context = ssl.create_default_context(
            cafile=None if inline else files.get("ca"),
            capath=files.get("capath"),
            cadata=files["ca"] if inline else None,
        )
        # MySQL's own self-signed certificates do not pass what Python 3.13 made the default.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = identity and verify
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        if versions:
            context.minimum_version = _VERSIONS[versions[0]]
            context.maximum_version = _VERSIONS[versions[-1]]
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"), files.get("key_password"))
        if "cipher" in files:
            context.set_ciphers(files["cipher"])
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigurationError(
            f"cannot use the TLS options for {database}: {error.strerror or error}",
            hint="Check the files named by ssl_ca, ssl_cert and ssl_key in the database URL.",
        ) from error
    return {"ssl": context}


# -- errors -------------------------------------------------------------------------------

# Permanent reasons not to be let in; numbers above 1862 that PyMySQL does not name.
_NO_ENTRY = {
    ER.ACCESS_DENIED_ERROR: "Check user and password in the database URL.",
    ER.DBACCESS_DENIED_ERROR: "Grant this user rights on the database.",
    1698: "This account logs in by another means than a password.",
    ER.BAD_DB_ERROR: "Check the database's name in the database URL, or create it.",
    ER.HOST_NOT_PRIVILEGED: "Let this user in from this host: CREATE USER 'name'@'host'.",
    ER.HOST_IS_BLOCKED: "Run FLUSH HOSTS on the server.",
    ER.NOT_SUPPORTED_AUTH_MODE: "Choose an authentication plugin that PyMySQL supports.",
    1820: "Give this account a new password.",
    1862: "Give this account a new password.",
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
    if error_number(error) == CR.CR_SSL_CONNECTION_ERROR or "SSL is required" in reason:
        return DeniedError(
            f"cannot encrypt the connection to {database}: {reason}",
            hint="Enable TLS on the server, or remove the ssl options from the database URL.",
        )
    return NotYet(
        f"cannot connect to {database}: {reason}",
        hint="Check that host and port are right and that the server is up and reachable.",
    )


def replica(database: Database, reason: str) -> DeniedError:
    """The server does not take writes."""
    return DeniedError(
        f"{database} is a replica or read-only: {reason}",
        hint="A lock on a replica does not stop others. Give the URL of the primary.",
    )


def refused(database: Database, error: pymysql.Error) -> AgtoolError:
    """What a statement's error means to the caller."""
    reason = text(database, error)
    if error_number(error) in _READ_ONLY:
        return replica(database, reason)
    if error_number(error) in _NOT_YET or isinstance(error, pymysql.InterfaceError):
        return NotYet(f"no answer from {database}: {reason}")
    return ConfigurationError(f"{database} refused a statement: {reason}")
