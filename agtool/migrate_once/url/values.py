"""The value of one option -> the options of agtool's driver that say the same.

A key that ends with ? gives way to whatever else says it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.text import read_json
from agtool.migrate_once.url.database import Database
from agtool.migrate_once.url.table.postgresql import SSLMODES
from agtool.migrate_once.url.table.row import Option

Settings = Mapping[str, str]

_DURATION = re.compile(r"(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+|\d{1,9}")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Given(NamedTuple):
    """An option of a URL. Its value is not shown where it may hold a secret."""

    name: str
    value: str
    database: Database

    @property
    def is_postgresql(self) -> bool:
        return self.database.engine == "postgresql"

    def bad(self, hint: str, shown: str | None = None) -> ConfigurationError:
        """That agtool cannot use this value."""
        value = self.value[:40] if shown is None else shown
        return ConfigurationError(
            "the database URL has an option with a value that agtool cannot use: "
            f"{self.name}={value}",
            hint=hint,
        )


def normal(text: str) -> str:
    """Without - _ spaces and case, in which the connectors' names and values differ."""
    return re.sub(r"[-_ ]", "", text).lower()


def convert(given: Given, row: Option) -> Settings:
    """What the row makes of the value.

    Raises:
        ConfigurationError: nothing.
    """
    if row.how == "as":
        return {row.target: given.value}
    if row.how == "values":
        found = row.values.get(normal(given.value))
        if found is None:
            raise given.bad(f"agtool takes: {row.becomes}.")
        return found
    return _CONVERTERS[row.how](given)


def _seconds(given: Given, unit: float = 1) -> Settings:
    if not re.fullmatch(r"-?\d{1,9}(\.\d{0,3})?", given.value):
        raise _no_time(given)
    return _timeout(given, float(given.value) * unit)


def _milliseconds(given: Given) -> Settings:
    return _seconds(given, 0.001)


def _duration(given: Given) -> Settings:
    """Go's, such as 1m30s."""
    if len(given.value) > 30 or not _DURATION.fullmatch(given.value):
        raise _no_time(given)
    parts = re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", given.value)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return _timeout(given, total if parts else float(given.value))


def _timeout(given: Given, seconds: float) -> Settings:
    if given.name == "timeout" and given.value.isdecimal() and seconds >= 1000:
        seconds /= 1000  # Rails' is for the lock of SQLite, in milliseconds, and left in other URLs
    if seconds > 0:
        return {"connect_timeout": str(max(1, min(999_999, round(seconds))))}
    if not given.is_postgresql and given.name == "connect_timeout":  # as PyMySQL has it
        raise _no_time(given)
    return {}  # for ever, or the driver's default: agtool has a time-out of its own


def _no_time(given: Given) -> ConfigurationError:
    return ConfigurationError(
        f"{given.name}={given.value[:40]} in the database URL is not a number of seconds",
        hint="Correct it, or leave it out: agtool has --connect-timeout.",
    )


def _ssl(given: Given) -> Settings:
    """A word of several connectors, or Node's JSON."""
    if given.value.lstrip().startswith("{"):
        return _json(given)
    word = normal(given.value)
    if word in ("true", "1", "yes", "on", "required", "require"):
        return {"sslmode?": "require"} if given.is_postgresql else {"ssl?": "true"}
    if word in ("false", "0", "no", "off"):
        return {"sslmode?": "disable"} if given.is_postgresql else {}
    if given.is_postgresql and word in SSLMODES:
        return {"sslmode?": SSLMODES[word]["sslmode"]}
    raise given.bad(
        "Write sslmode=require or sslmode=verify-full."
        if given.is_postgresql
        else "Write ssl_mode=VERIFY_IDENTITY; a profile such as Amazon RDS is a file: ssl_ca=FILE."
    )


def _json(given: Given) -> Settings:
    """Node's options of TLS, whose text may hold a key."""
    names = (
        "sslmode, sslrootcert, sslcert and sslkey"
        if given.is_postgresql
        else "ssl_mode, ssl_ca, ssl_cert and ssl_key"
    )
    bad = given.bad(
        "agtool takes rejectUnauthorized, verifyIdentity and, on MySQL, ca in it. What else is "
        f"needed, write as {names}.",
        shown="{...}",
    )
    try:
        wanted: Any = read_json(given.value)
    except ValueError:
        raise bad from None
    known = {"rejectUnauthorized", "verifyIdentity", "ca"}
    if not isinstance(wanted, dict) or wanted.keys() - known:
        raise bad
    verify, identity = wanted.get("rejectUnauthorized", True), wanted.get("verifyIdentity", True)
    authority = wanted.get("ca")
    if not isinstance(verify, bool) or not isinstance(identity, bool):
        raise bad
    if authority is not None and (given.is_postgresql or not isinstance(authority, str)):
        raise bad
    if given.is_postgresql:
        mode = "verify-full" if identity else "verify-ca"
        return {"sslmode": mode, "sslrootcert?": "system"} if verify else {"sslmode": "require"}
    if not verify:
        return {"ssl_mode": "REQUIRED", "ssl_verify_cert": "false"}
    mode = "VERIFY_IDENTITY" if identity else "VERIFY_CA"
    return {"ssl_mode": mode, **({"ssl_ca": authority} if authority else {})}


def _go_tls(given: Given) -> Settings:
    mode = {
        **dict.fromkeys(("true", "1"), "VERIFY_IDENTITY"),
        **dict.fromkeys(("false", "0"), "DISABLED"),
        "skip-verify": "REQUIRED",
        "preferred": "PREFERRED",
    }.get(given.value.lower())
    options = given.database.options
    if mode is None and "x-tls-ca" in options:
        skips = options.get("x-tls-insecure-skip-verify", "").lower() in ("true", "1")
        mode = "REQUIRED" if skips else "VERIFY_IDENTITY"
    if mode is None:
        raise given.bad(
            "Another name than true, false, skip-verify and preferred stands for what a program "
            "in Go has registered: give agtool a URL with ssl_mode and ssl_ca."
        )
    return {"ssl_mode": mode}


def _tls_versions(given: Given) -> Settings:
    numbers = sorted(set(re.findall(r"1[._]?([0-3])", given.value)))
    if not numbers:
        raise given.bad("It takes TLSv1.2 and TLSv1.3.")
    if normal(given.name) == "tlsminversion":
        numbers = sorted({*numbers, "3"})
    if normal(given.name) == "tlsmaxversion":
        numbers = sorted({*numbers, "2"})
    return {"tls_versions": ",".join(numbers)}


def _certificate(given: Given) -> Settings:
    """Of the client, as in Ruby, if there is its key; Prisma's is the server's authority."""
    beside_key = any(normal(name) == "sslkey" for name in given.database.query)
    return {"ssl_cert" if beside_key else "ssl_ca": given.value}


def _socket(given: Given) -> Settings:
    return {"unix_socket": given.value.strip("()")}  # Prisma's are in brackets


def _pg8000_socket(given: Given) -> Settings:
    folder, _, file = given.value.rpartition("/")
    number = file.removeprefix(".s.PGSQL.")
    if not folder.startswith("/") or number == file or not number.isdecimal():
        raise given.bad("It is a path that ends with /.s.PGSQL.5432 or another port.")
    return {"host": folder, "port": number}


_CONVERTERS: Mapping[str, Callable[[Given], Settings]] = {
    "seconds": _seconds,
    "milliseconds": _milliseconds,
    "duration": _duration,
    "ssl": _ssl,
    "go-tls": _go_tls,
    "tls-versions": _tls_versions,
    "certificate": _certificate,
    "socket": _socket,
    "pg8000-socket": _pg8000_socket,
}
