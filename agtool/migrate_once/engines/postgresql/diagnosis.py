"""Why PostgreSQL does not let us in, by the code of its error (SQLSTATE).

libpq does not hand the code out when a connection fails, and the message is in the server's
language (lc_messages). But it writes the code into the message if it is told to before the answer
comes, which takes a connection that is made step by step, and libpq's own functions. So after a
failure the server is asked once more.
"""

from __future__ import annotations

import os
import re
import select
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from ctypes import CDLL

    from psycopg2.extensions import connection as Connection

_VERBOSE = 2
"""PQERRORS_VERBOSE of libpq-fe.h: with the SQLSTATE."""

_ANSWER = re.compile(
    r"^(?:connection to server .* failed: )?[^:\n]*:  (?P<code>[0-9A-Z]{5}): (?P<text>.*)$",
    re.MULTILINE,
)
"""The line with a server's answer: severity, code, message. Severity is in its language, too."""

_POOLER = "08P01"
"""protocol_violation, which PgBouncer gives to whatever it says itself."""


class Answer(NamedTuple):
    """What the server said. code: its SQLSTATE; empty: it did not say anything.

    wants_password: it asked for one, and libpq found none.
    """

    code: str
    text: str
    wants_password: bool = False

    @property
    def pools_statements(self) -> bool:
        """Whether PgBouncer, in statement pooling mode, said that there are no transactions."""
        return self.code == _POOLER and "statement pooling mode" in self.text


def ask(parameters: dict[str, Any], give_up: float, statement: str = "") -> Answer | None:
    """The server's answer to a connection, and to a statement on it; None: it is not refused.

    give_up: time.monotonic() at which to give up.
    """
    connection: Connection | None = None
    libpq = _libpq()
    try:
        connection = psycopg2.connect(**parameters, async_=True)
        if libpq is not None:
            libpq.PQsetErrorVerbosity(connection.pgconn_ptr, _VERBOSE)
        if _poll(connection, give_up) and statement:
            cursor = connection.cursor()  # which the connection does not keep
            cursor.execute(statement)
            _poll(connection, give_up)
    except (psycopg2.Error, UnicodeDecodeError) as error:
        if isinstance(error, psycopg2.Error) and error.pgcode:  # of the statement
            return Answer(error.pgcode, error.diag.message_primary or "")
        wants = (
            connection is not None
            and libpq is not None
            and connection.pgconn_ptr is not None
            and bool(libpq.PQconnectionNeedsPassword(connection.pgconn_ptr))
        )
        # Of several hosts the last one: libpq goes on to the next after some refusals.
        found = [*_ANSWER.finditer(words(error))][-1:]
        return Answer(found[0]["code"], found[0]["text"]) if found else Answer("", "", wants)
    finally:
        if connection is not None:
            connection.close()
    return None


def _libpq() -> CDLL | None:
    """The very libpq that psycopg2 uses, by the handle of its module; None: it hides it."""
    import ctypes

    from psycopg2 import _psycopg

    libpq = ctypes.CDLL(_psycopg.__file__)
    try:
        libpq.PQsetErrorVerbosity.argtypes = [ctypes.c_void_p, ctypes.c_int]
        libpq.PQconnectionNeedsPassword.argtypes = [ctypes.c_void_p]
    except AttributeError:
        return None
    return libpq


def _poll(connection: Connection, give_up: float) -> bool:
    """Go on with an asynchronous connection's work; whether it was done before `give_up`."""
    while (state := connection.poll()) != POLL_OK:
        ends = [connection.fileno()]
        read, write = (ends, []) if state == POLL_READ else ([], ends)
        if not any(select.select(read, write, [], max(0.0, give_up - time.monotonic()))):
            return False
    return True


def words(error: psycopg2.Error | UnicodeDecodeError) -> str:
    """libpq's words, which psycopg2 cannot read where they are not UTF-8.

    They quote what its variables hold, and what a server says whose messages are in Latin-1.
    """
    if isinstance(error, UnicodeDecodeError):
        return bytes(error.object).decode(errors="replace").strip()
    return str(error).strip()


def explained(
    database: Database, text: str, answer: Answer | None, *, any_server: bool
) -> AgtoolError:
    """What a failed connection means.

    text: libpq's. answer: the server's, asked once more. any_server: whether a standby would do.
    """
    if answer is not None and answer.code:
        return _by_code(database, answer)
    if answer is not None and answer.wants_password:
        return _not_let_in(
            database, "the server asks for a password", "The database URL holds no password."
        )
    if unusable := _UNUSABLE.search(text):
        line = database.redact(unusable[0])
        options = next((o for clue, o in _NOT_NAMED.items() if clue in line), "")
        return ConfigurationError(
            f"the database URL has an option that libpq cannot use: {options}{line}",
            hint="Correct it, or the variable that libpq has for it, such as PGPORT.",
        )
    for clue, hint in _OF_LIBPQ.items():
        if clue in text:
            line = next(line for line in text.splitlines() if clue in line).strip()
            return DeniedError(f"cannot log in to {database}: {database.redact(line)}", hint=hint)
    line = database.redact(text.splitlines()[0] if text else "no answer")
    return NotYet(
        # Without libpq's preamble, which repeats the address.
        f"cannot connect to {database}: {line.rpartition('FATAL:')[2].strip()}",
        hint="Check that host and port are right and that the server is up and reachable."
        + ("" if any_server else " Give the URL of the primary."),
    )


_PASSWORD = {
    "28P01": "Check the user and the password that agtool is given.",
    "28000": "Check the user in the database URL, that the role has LOGIN, and whether pg_hba.conf "
    "lets it into this database from this address, and how: with TLS (sslmode), with a password.",
}

_DENIED = {"42501": "Grant this user CONNECT on the database."}

_NOT_YET = {
    "3D000": "Create the database, or correct its name.",
    "53300": "Raise max_connections (or the limit of the role or the database), or use a pooler.",
    "57P03": "Wait until the server has started, or look into its log.",
}
"""Hints for what may change. Unknown codes are worth a retry, too."""

_UNUSABLE = re.compile(
    r"""
    (?: invalid\ port\ number:
    | invalid\ \S+\ value:\ "
    | invalid\ integer\ value\ "
    | invalid\ SSL\ protocol\ version\ range
    | could\ not\ set\ (?:minimum|maximum)\ SSL\ protocol\ version
    | could\ not\ parse\ network\ address
    | could\ not\ match\ \d+\ (?:host\ names|port\ numbers)\ to
    | (?:negative\ )?require_auth\ method\ "
    | weak\ sslmode\ "
    | \w+\ value\ "[^"]*"\ invalid\ when
    | Unix-domain\ socket\ path\ ".*"\ is\ too\ long
    ).*
    """,
    re.VERBOSE,
)
"""What libpq says of options that no waiting cures, before it connects."""

_NOT_NAMED = {
    "network address": "hostaddr: ",
    "protocol version": "ssl_min_protocol_version, ssl_max_protocol_version: ",
    "host names": "host, hostaddr: ",
    "port numbers": "host, port: ",
}
"""The options that these are about, where it does not name them."""

_OF_LIBPQ = {
    "certificate file": "Check sslrootcert and sslcert in the database URL.",
    "key file": "Check sslkey in the database URL.",
    "certificate verify failed": "Check sslrootcert in the database URL.",
    "does not match host name": "Write the host's name as in the server's certificate, or "
    "sslmode=verify-ca.",
    "does not support SSL": "Change sslmode in the database URL, or enable SSL.",
    "GSSAPI encryption": "Change gssencmode in the database URL, or get a ticket of Kerberos.",
    "authentication method requirement": "Change require_auth in the database URL.",
    "channel binding": "Change channel_binding in the database URL.",
    "service file": "Check service in the database URL, PGSERVICE and PGSERVICEFILE.",
    "definition of service": "Check service in the database URL, PGSERVICE and PGSERVICEFILE.",
}
"""libpq's own words, without a server's: they have no code, and are English here.

They would be translated by the locale of LC_MESSAGES, which Python leaves alone.
"""

_OF_PGBOUNCER = {
    "password authentication failed": True,
    "SASL authentication failed": True,
    "certificate authentication failed": True,
    "empty password returned by client": True,
    "no such user": True,
    "login rejected": True,
    "unix socket login rejected": True,
    '"trust" authentication failed': True,
    "unsupported startup parameter": False,
    "unsupported options startup parameter": False,
    "SSL required": False,
}
"""The beginnings of its permanent refusals; whether they are of the account.

It has one code for all it says, and its words are in its source, in English and in no catalogue.
"""


def _by_code(database: Database, answer: Answer) -> AgtoolError:
    code = answer.code
    text = database.redact(answer.text)
    if code in _PASSWORD:
        return _not_let_in(database, text, _PASSWORD[code], is_password=code == "28P01")
    if code == _POOLER:
        return _of_pooler(database, answer.text)
    if code in _DENIED:
        return DeniedError(f"cannot log in to {database}: {text}", hint=_DENIED[code])
    # feature_not_supported, data_exception, syntax_error_or_access_rule_violation
    if code[:2] in ("0A", "22", "42"):
        return ConfigurationError(
            f"{database} refuses an option of the database URL: {text}",
            hint="Correct or leave out that option, such as `options`, or unset PGOPTIONS.",
        )
    return NotYet(
        f"cannot connect to {database}: {text}",
        hint=_NOT_YET.get(code, "Check that the server is up and reachable."),
    )


def _of_pooler(database: Database, said: str) -> AgtoolError:
    of_account = next((a for begin, a in _OF_PGBOUNCER.items() if said.startswith(begin)), None)
    text = database.redact(said)
    if of_account is None:
        return NotYet(
            f"cannot connect to {database}: {text}",
            hint="Check that the pooler reaches the server, and knows this database.",
        )
    if of_account:
        return _not_let_in(database, text, _PASSWORD["28P01"], is_password=True)
    if said.startswith("SSL"):
        return DeniedError(
            f"cannot log in to {database}: {text}",
            hint="Write sslmode=require or more in the database URL.",
        )
    return ConfigurationError(
        f"the pooler at {database} refuses an option of the database URL: {text}",
        hint="Leave out that option (and PGOPTIONS), let PgBouncer ignore it with "
        "ignore_startup_parameters, or give the address of PostgreSQL itself.",
    )


def _not_let_in(
    database: Database, text: str, hint: str, *, is_password: bool = False
) -> AgtoolError:
    """Worth another try where a file or a command supplies the password: it may be another then."""
    message = f"cannot log in to {database}: {text}"
    if database.renewal is not None:
        database.renewal.refused()
        return NotYet(message, hint=hint)
    if is_password and not database.password and not os.environ.get("PGPASSWORD"):
        return NotYet(message, hint="Check the password file, which libpq has read.")
    return DeniedError(message, hint=hint)
