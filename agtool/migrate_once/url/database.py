"""The parts of a database's address; as text they hold no password. Reading a file with one.

Not with postponed annotations: a NamedTuple would compile them at each start.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from agtool.core.errors import ConfigurationError


class Renewal(Protocol):
    """What gives a database anew, since a file or a command supplies a part of it."""

    def current(self, timeout: float) -> "Database":
        """The database for the next connection; timeout: seconds that a command may take.

        Raises:
            UnreachableError: it is not given at the moment.
            ConfigurationError: it is another database now, or the command cannot be used.
        """

    def refused(self) -> None:
        """The server did not take the password: a command is to give another one."""


class Database(NamedTuple):
    """The parts of a database URL; `engine` is postgresql, mysql or sqlite.

    driver: what follows the + of a URL, or whose form it has if that is not SQLAlchemy's: pgjdbc,
    connector-j, mariadb-connector-j, go-sql-driver.
    """

    engine: str
    driver: str | None
    user: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str | None
    query: Mapping[str, tuple[str, ...]]
    renewal: Renewal | None = None

    def __repr__(self) -> str:
        return f"Database({self})"

    def __str__(self) -> str:
        account = f"{self.user}@" if self.user else ""
        return f"{self.engine}://{account}{self._place()}/{self.database or ''}"

    def _place(self) -> str:
        """Host and port, or several; a socket's directory is not shown."""
        if self.host or "host" not in self.query:
            places = [(self.host or "", str(self.port or ""))]
        else:
            hosts = ",".join(self.query["host"]).split(",")
            ports = self.options.get("port", "").split(",")
            ports = ports * len(hosts) if len(ports) == 1 else ports
            places = [p for p in zip(hosts, ports, strict=False) if not p[0].startswith("/")]
        return ",".join(
            (f"[{host}]" if host.count(":") > 1 else host) + (f":{port}" if port else "")
            for host, port in places
        )

    @property
    def options(self) -> dict[str, str]:
        """The query's options; the last counts of one that is given more than once."""
        return {key: values[-1] for key, values in self.query.items()}

    def redact(self, text: str) -> str:
        """A driver's or a server's words without the password, should they quote it.

        Never for text of our own, in which the database stands as it is shown.
        """
        from agtool.migrate_once.url.masking import mask

        # sslpassword, ssl_key_password
        secrets = [value for key, value in self.options.items() if key.endswith("password")]
        parts = (self.user, self.database, self.host, str(self.port))
        shown = {part or "" for part in (*parts, *self._place().split(","))}
        return mask(text, [self.password or "", *secrets], shown)


class Parts(NamedTuple):
    """The options that give a part of it each.

    password_command: prints the password. password: from the variable that --password-env names.
    """

    engine: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password_file: Path | None = None
    database: str | None = None
    password_command: str | None = None
    password: str | None = None


def is_port(text: str) -> bool:
    """Whether it is a number that a port can have."""
    return len(text) <= 5 and text.isdecimal() and 1 <= int(text) <= 65535


def unreadable() -> ConfigurationError:
    """What is said of a text that cannot be read. It may be a password: it is not quoted."""
    return ConfigurationError(
        "the database URL is not valid",
        hint="Write postgresql://user:password@host:5432/database, "
        "with special characters percent-encoded. Other forms that agtool reads: mysql://..., "
        "mariadb://..., sqlite:////path, jdbc:postgresql://..., jdbc:mysql://..., "
        "jdbc:mariadb://..., host=... dbname=... (libpq), user:password@tcp(host:3306)/database "
        "(Go), Host=...;Database=... (.NET), pgsql:host=...;dbname=... (PHP). Or give the parts: "
        "--engine, --host, --port, --user, --password-file, --database.",
    )


def one_line(text: str, source: str, what: str) -> str:
    """The text without the line's end that editors and echo leave.

    Raises:
        ConfigurationError: it is empty, or no password or name could be like that.
    """
    text = text.rstrip("\r\n")
    if not text:
        raise ConfigurationError(f"{source} is empty, and not a {what}")
    if any(ending in text for ending in "\r\n\0"):
        raise ConfigurationError(
            f"{source} has several lines, and is not a {what}",
            hint=f"It must hold the {what} alone, in one line.",
        )
    return text


def read_file(file: Path, what: str) -> str:
    """The text in a file, such as a mounted Secret.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"cannot read the {what} from {file}: {reason}",
            hint="Check that the Secret is mounted there and that this user may read it.",
        ) from error
