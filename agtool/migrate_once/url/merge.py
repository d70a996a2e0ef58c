"""What several options say together."""

from __future__ import annotations

from collections.abc import Mapping

from agtool.core.errors import ConfigurationError

_STRENGTH = {
    "postgresql": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "mysql": ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"),
}
_MODE = {"postgresql": "sslmode", "mysql": "ssl_mode"}


class Merged:
    """Options as they are added, and what they come to."""

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
