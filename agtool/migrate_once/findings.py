"""What is said, and stands in the result, of sessions on the server that agtool does not master."""

from __future__ import annotations

from collections.abc import Sequence

from agtool.core.finding import Finding
from agtool.core.text import count, some
from agtool.migrate_once.backend import Session


def names(sessions: Sequence[Session]) -> str:
    """Sessions for people; of many, some."""
    return some([str(session) for session in sessions])


def not_ours_to_end(sessions: Sequence[Session]) -> Finding:
    """The server does not let us end them, although they are the command's."""
    return Finding(
        "not-ended",
        f"the server does not let agtool end {names(sessions)}, which works for the command; "
        "agtool waits for its end",
        "End it as an administrator. To let agtool do so, on PostgreSQL: GRANT pg_signal_backend "
        "TO the user in the database URL (of a superuser's session: a superuser's URL); on MySQL: "
        "GRANT CONNECTION_ADMIN, on MariaDB: GRANT CONNECTION ADMIN.",
    )


def left_running(sessions: Sequence[Session]) -> Finding:
    """They did not end in time."""
    return Finding(
        "still-running",
        f"{names(sessions)} still works for the command on the server",
        "What it does may be committed later. Let an administrator end it.",
    )


def not_told_apart(sessions: Sequence[Session]) -> Finding:
    """Nothing tells whether they are the command's, and they did not end in time."""
    return Finding(
        "unknown-session",
        f"nothing tells whether {names(sessions)} works for a command that has ended; it was left",
        "If it does, end it. For agtool to know COMMAND's sessions on PostgreSQL, give them the "
        "application_name of the variable PGAPPNAME, or let COMMAND and agtool connect to the "
        "server itself, not to a pooler, by TCP.",
    )


def not_seen(ports: Sequence[int], rights: str) -> Finding:
    """Connections of the command whose sessions we cannot see."""
    return Finding(
        "unseen-session",
        f"the command has {count(len(ports), 'connection')} to the database server (from port "
        f"{some([str(port) for port in ports])}) whose session agtool cannot see there: it has "
        "another account",
        "Should agtool be killed or the lock be lost, its statement may go on. Let COMMAND use "
        f"agtool's account, or grant that {rights}.",
    )
