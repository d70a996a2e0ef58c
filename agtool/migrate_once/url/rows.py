"""The options of one URL, by the rows of `table`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from agtool.core.errors import ConfigurationError
from agtool.core.text import printable
from agtool.migrate_once.url.database import Database
from agtool.migrate_once.url.merge import Merged
from agtool.migrate_once.url.table import TABLE
from agtool.migrate_once.url.table.row import Option
from agtool.migrate_once.url.values import Given, convert, normal

_OURS = {
    "postgresql": (("psycopg2", "psycopg"), {"libpq", "SQLAlchemy"}),
    "mysql": (("pymysql", "mysqldb"), {"PyMySQL", "mysqlclient", "SQLAlchemy"}),
}
"""The drivers that are like agtool's, and the connectors whose options they have.

In a URL with such a suffix any other option is a mistake: the application stumbles over it, too.
"""

_FORMS = (
    None,
    *("pgjdbc", "connector-j", "mariadb-connector-j", "go-sql-driver"),
    *("npgsql", "mysqlconnector", "pdo"),
)
"""What stands for a driver in URLs that several connectors may read."""

_DELICATE = (
    r"ssl|tls|cert|verif|truststore|keystore|encrypt|secure|host|sock|proxy|tunnel|addr"
    r"|connect.*time|time.*connect"
)
"""An unknown option whose name has one of these might change whom agtool talks to, and how."""

_WITHOUT = "Give agtool a URL of its own in AGTOOL_DATABASE_URL, without it."


def translate_all(
    database: Database, is_native: Callable[[str], bool]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What `options.translate` gives: the options of agtool's driver, and warnings.

    Raises:
        ConfigurationError: as it says there.
    """
    rows = _Rows(database, is_native)
    merged = Merged(database.engine)
    ignored: list[str] = []
    for name, value in database.options.items():
        found = rows.of(name)
        if not found and is_native(name):
            merged.add(name, {name: value}, "set")
        elif not found:
            rows.refuse_delicate(name)
            ignored.append(f"{printable(name[:60])} (agtool does not know it)")
        elif found[0].how == "refused":
            raise ConfigurationError(
                f"agtool cannot use the option {name!r} of the database URL: {found[0].becomes}",
                hint=_WITHOUT,
            )
        elif found[0].how == "ignored":
            connectors = {one: "" for row in found for one in row.connectors.split(", ")}
            ignored.append(f"{name} ({', '.join([*connectors][:3])})")
        elif found[0].how != "unused":
            merged.add(name, convert(Given(name, value, database), found[0]), found[0].merge)
    values = merged.settled(database.options)
    if database.driver not in _FORMS:
        return values, ()
    warnings: list[str] = []
    if ignored:
        what = "ignored in the database URL, since agtool has no use for it: "
        warnings.append(what + "; ".join(ignored))
    if database.options.get("ssl", "").lower() in ("true", "1") and values.get("sslmode") == (
        "require"
    ):
        warnings.append(
            "ssl=true in the database URL encrypts, as with libpq, and does not verify the "
            "server's certificate, as node-postgres does; sslmode=verify-full verifies it"
        )
    return values, tuple(warnings)


class _Rows:
    """The rows of the table that count for one URL."""

    def __init__(self, database: Database, is_native: Callable[[str], bool]) -> None:
        self._engine = database.engine
        self._is_native = is_native
        drivers, connectors = _OURS[database.engine]
        self._connectors = connectors if database.driver in drivers else None
        self._exact: dict[str, list[Option]] = {}
        self._loose: dict[str, list[Option]] = {}
        for row in TABLE:
            if row.engine in (self._engine, "any") and row.driver in ("", database.driver):
                for name in row.names.split(", "):
                    self._exact.setdefault(name, []).append(row)
                    self._loose.setdefault(normal(name), []).append(row)

    def of(self, name: str) -> Sequence[Option]:
        """The rows of an option, the one that counts first.

        Raises:
            ConfigurationError: the URL names agtool's own driver, which has no such option.
        """
        native = self._is_native(name)
        rows = self._exact.get(name) or ([] if native else self._loose.get(normal(name), []))
        if self._connectors is not None and not native:
            rows = [row for row in rows if self._connectors & {*row.connectors.split(", ")}]
            if not rows:
                raise self._unknown(name)
        return sorted(rows, key=lambda row: not row.driver)

    def refuse_delicate(self, name: str) -> None:
        """Refuse an unknown option that may be about more than the application.

        Raises:
            ConfigurationError: it may.
        """
        if re.search(_DELICATE, normal(name)) or self._nearest(name, 0.8):
            raise self._unknown(name)

    def _unknown(self, name: str) -> ConfigurationError:
        near = self._nearest(name, 0.6)
        return ConfigurationError(
            f"the database URL has the unknown option {name!r}",
            hint=(f"Did you mean {near}? " if near else "")
            + "An option that agtool does not know is not ignored if it may be about TLS, hosts, "
            "sockets or connection time-outs, or if the URL names agtool's own driver. Correct "
            f"it. {_WITHOUT}",
        )

    def _nearest(self, name: str, likeness: float) -> str:
        from difflib import get_close_matches

        own = ("host", "port", "hostaddr", "target_session_attrs", "user", "password")
        known = [n for n, rows in self._exact.items() if rows[0].how not in ("ignored", "unused")]
        spellings = {spelling.lower(): spelling for spelling in (*own, *reversed(known))}
        found = get_close_matches(name.lower(), spellings, n=1, cutoff=likeness)
        return spellings[found[0]] if found else ""
