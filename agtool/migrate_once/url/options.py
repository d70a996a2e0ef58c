"""What becomes of a URL's options: its engine's own, or ignored, or refused; see `table`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.text import printable
from agtool.migrate_once.url.database import Database

if TYPE_CHECKING:
    from agtool.migrate_once.url.table import Option

_OURS = {
    "postgresql": (("psycopg2", "psycopg"), {"libpq", "SQLAlchemy"}),
    "mysql": (("pymysql", "mysqldb"), {"PyMySQL", "mysqlclient", "SQLAlchemy"}),
}
"""The drivers that are like agtool's, and the connectors whose options they have.

In a URL with such a suffix any other option is a mistake: the application stumbles over it, too.
"""

_FORMS = (None, "pgjdbc", "connector-j", "mariadb-connector-j", "go-sql-driver")
"""What stands for a driver in URLs that several connectors may read."""

_STRENGTH = {
    "postgresql": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "mysql": ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"),
}
_MODE = {"postgresql": "sslmode", "mysql": "ssl_mode"}

_DELICATE = (
    r"ssl|tls|cert|verif|truststore|keystore|encrypt|secure|host|sock|proxy|tunnel|addr"
    r"|connect.*time|time.*connect"
)
"""An unknown option whose name has one of these might change whom agtool talks to, and how."""

_WITHOUT = "Give agtool a URL of its own in AGTOOL_DATABASE_URL, without it."


_PLAIN: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "postgresql": {
        "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        "target_session_attrs": ("any", "read-write", "primary"),
        "application_name": (),
    },
    "mysql": {"charset": ()},
}
"""What the table would say of the most frequent options, which the fast path need not import.

Options of agtool's drivers: these values are obeyed, and without values they have no effect.
"""


class Translated(NamedTuple):
    """The options in the words of agtool's driver, and what is to be said of the rest."""

    values: dict[str, str]
    warnings: tuple[str, ...] = ()


def translate(database: Database, is_native: Callable[[str], bool]) -> Translated:
    """The options of a URL as libpq or PyMySQL has them.

    is_native: whether agtool's driver has an option of this name, which the table need not have.

    Raises:
        ConfigurationError: one is refused, unknown and about TLS, hosts, sockets or connection
            time-outs, or contradicts another one.
    """
    if not database.query:
        return Translated({})
    plain = _PLAIN[database.engine]
    options = database.options
    if all(value in (plain.get(name) or (value,)) for name, value in options.items()) and (
        options.keys() <= plain.keys()
    ):
        return Translated({name: value for name, value in options.items() if plain[name]})
    from agtool.migrate_once.url.values import Given, convert

    rows = _Rows(database, is_native)
    merged = _Merged(database.engine)
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
    if not ignored or database.driver not in _FORMS:
        return Translated(values)
    what = "ignored in the database URL, since agtool has no use for it: "
    return Translated(values, (what + "; ".join(ignored),))


class _Rows:
    """The rows of the table that count for one URL."""

    def __init__(self, database: Database, is_native: Callable[[str], bool]) -> None:
        from agtool.migrate_once.url.table import TABLE
        from agtool.migrate_once.url.values import normal

        self._engine = database.engine
        self._is_native = is_native
        self._normal = normal
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
        rows = self._exact.get(name) or ([] if native else self._loose.get(self._normal(name), []))
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
        if re.search(_DELICATE, self._normal(name)) or self._nearest(name, 0.8):
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


class _Merged:
    """What several options say together."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._values: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._defaults: list[Mapping[str, str]] = []
        self._raised: list[tuple[str, Mapping[str, str]]] = []
        self._late: dict[str, str] = {}

    def add(self, name: str, settings: Mapping[str, str], merge: str) -> None:
        """Add what the option `name` says.

        Raises:
            ConfigurationError: another one says something else.
        """
        if merge == "raise":
            self._raised.append((name, settings))
        elif merge == "default":
            self._defaults.append(settings)
        else:
            for key, value in settings.items():
                self._put(name, key, value)

    def _put(self, name: str, key: str, value: str) -> None:
        if key.endswith("?"):
            self._late.setdefault(key[:-1], value)
        elif self._values.setdefault(key, value) == value:
            self._sources.setdefault(key, name)
        else:
            raise ConfigurationError(
                f"the options {self._sources[key]!r} and {name!r} of the database URL "
                "contradict each other",
                hint="Leave out one of them.",
            )

    def settled(self, given: Mapping[str, str]) -> dict[str, str]:
        """All of it; given: the URL's options.

        Raises:
            ConfigurationError: TLS is both demanded and forbidden.
        """
        values, mode = self._values, _MODE[self._engine]
        strength = _STRENGTH[self._engine]
        for default in self._defaults if mode not in values else ():
            for key, value in default.items():
                values.setdefault(key.removesuffix("?"), value)
        for name, raised in self._raised:
            if values.get(mode) == strength[0] and raised:
                raise ConfigurationError(
                    f"the option {name!r} of the database URL demands TLS, and another one "
                    "forbids it",
                    hint="Leave out one of them.",
                )
            for key, value in raised.items():
                if key == mode:
                    values[mode] = max(values.get(mode, value), value, key=strength.index)
                else:
                    self._late.setdefault(key.removesuffix("?"), value)
        for key, value in self._late.items():
            values.setdefault(key, value)
        if self._engine == "postgresql":
            _settle_authority(values, given)
        return values


_PRISMA = {"sslaccept", "schema", "connection_limit", "pool_timeout", "pgbouncer"}


def _settle_authority(values: dict[str, str], given: Mapping[str, str]) -> None:
    """Whose certificates are trusted: Prisma's sslcert is what sslrootcert is to libpq."""
    accepts_any = values.pop("sslaccept", "") == "any"
    if "sslcert" in values and "sslkey" not in values and _PRISMA & given.keys():
        authority = values.pop("sslcert")
        if values.get("sslrootcert") in (None, "system") and not accepts_any:
            values["sslrootcert"] = authority
    if values.get("sslrootcert") == "system" and values.setdefault(
        "sslmode", "verify-full"
    ) not in ("verify-ca", "verify-full"):
        raise ConfigurationError(  # as with libpq
            "sslrootcert=system in the database URL needs sslmode=verify-full",
            hint="Write sslmode=verify-full, or leave out sslrootcert.",
        )
