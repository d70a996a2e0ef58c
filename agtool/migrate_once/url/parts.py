"""A database that is given in parts: by options, and by the variables of libpq and of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError, UsageError
from agtool.migrate_once.url.database import Database, Parts, is_port, one_line, read_file
from agtool.migrate_once.url.forms import with_hosts, with_socket

_ENGINES = {"mariadb": "mysql"}


class _Family(NamedTuple):
    """The variables of one program or image: part -> variables, of which one is enough."""

    engine: str
    variables: Mapping[str, tuple[str, ...]]
    files: bool
    """Whether NAME_FILE may name a file that holds the value."""


def _image(name: str, engine: str) -> _Family:
    variables = {part: tuple(f"{name}_{s}" for s in endings) for part, endings in _IMAGES.items()}
    return _Family(engine, variables, files=True)


_IMAGES = {
    "host": ("HOST",),
    "port": ("TCP_PORT", "PORT"),
    "user": ("USER", "USERNAME"),
    "password": ("PASSWORD",),
    "database": ("DATABASE", "DB"),
}
"""The names of the images postgres, mysql and mariadb, those of the server's address, and others
that people write for the same: with one left out, the lock would be in another database."""

_FAMILIES = (
    # https://www.postgresql.org/docs/current/libpq-envars.html: the rest, such as PGPASSFILE,
    # PGSERVICE and PGSSLMODE, libpq reads by itself.
    _Family(
        "postgresql",
        {
            "host": ("PGHOST",),
            "port": ("PGPORT",),
            "user": ("PGUSER",),
            "password": ("PGPASSWORD",),
            "database": ("PGDATABASE",),
        },
        files=False,
    ),
    _image("POSTGRES", "postgresql"),
    _image("MYSQL", "mysql"),
    _image("MARIADB", "mysql"),
)


class _Given(NamedTuple):
    value: str
    source: str


def completed(database: Database, parts: Parts) -> Database:
    """The database of a URL with what options add to it.

    Raises:
        ConfigurationError: an option contradicts the URL.
    """
    given = _of_options(parts, database.engine)
    for part, (value, source) in given.items():
        of_url = _value(database, part)
        if of_url not in (None, "", value):
            # A password is not shown, and that it differs need not be.
            raise ConfigurationError(
                f"{source} contradicts the database URL, which has "
                + ("a password" if part == "password" else f"the {part} {of_url}"),
                hint=f"Leave out {source} (or its variable), or unset the variable with the URL "
                "for agtool.",
            )
    wanted = {part: value for part, (value, _) in given.items() if part != "engine"}
    return with_parts(database, wanted)


def assembled(parts: Parts, environ: Mapping[str, str]) -> Database | None:
    """The database of options and variables; None if nothing names one.

    Raises:
        ConfigurationError: they contradict each other, or name several engines.
    """
    families = [family for family in _FAMILIES if _names_a_place(family, environ)]
    engine = parts.engine and _ENGINES.get(parts.engine, parts.engine)
    if engine is None:
        engines = {family.engine for family in families}
        if len(engines) > 1:
            names = " and ".join(_names_a_place(family, environ) for family in families)
            raise ConfigurationError(
                f"{names} are set, and name databases of different kinds",
                hint="Say which one with --engine postgresql or --engine mysql.",
            )
        engine = next(iter(engines), None)
    if engine is None:
        if not any(part is not None for part in parts):
            return None
        raise UsageError(
            "the parts of the database do not say of which kind it is",
            hint="Add --engine postgresql, --engine mysql or --engine sqlite.",
        )
    given = _of_options(parts, engine)
    by_variables: dict[str, _Given] = {}
    for family in _FAMILIES:
        # libpq reads its own in any case; of images, those that say where.
        if family.engine != engine or (families and family not in families and family.files):
            continue
        for part, found in _of_variables(family, environ):
            before = by_variables.setdefault(part, found)
            if before.value != found.value and part not in given:
                raise ConfigurationError(
                    f"{before.source} and {found.source} contradict each other",
                    hint="Unset one of them for agtool, or give the option "
                    f"{'--password-file' if part == 'password' else '--' + part}, which wins.",
                )
    values = {part: value for part, (value, _) in {**by_variables, **given}.items()}
    del values["engine"]
    if engine == "sqlite" and not values.get("database"):
        raise UsageError("there is no file", hint="Add --database FILE.")
    return with_parts(Database(engine, None, None, None, None, None, None, {}), values)


def _of_options(parts: Parts, engine: str) -> dict[str, _Given]:
    if engine == "sqlite":
        for name in ("host", "port", "user", "password_file", "password_command", "password"):
            if getattr(parts, name) is not None:
                option = "--" + name.replace("_", "-") + "-env" * (name == "password")
                raise UsageError(f"{option} has no effect with SQLite", hint=f"Leave out {option}.")
    given = {"engine": _Given(_ENGINES.get(parts.engine or "", parts.engine or engine), "--engine")}
    for part in ("host", "port", "user", "database"):
        value = getattr(parts, part)
        if value is not None:
            if not str(value).strip():
                raise UsageError(f"--{part} is empty", hint="Is a variable of the shell unset?")
            given[part] = _Given(str(value), f"--{part}")
    if parts.password_file is not None:
        password = _read(parts.password_file, "password")
        given["password"] = _Given(password, "--password-file")
    if parts.password is not None:
        given["password"] = _Given(parts.password, "--password-env")
    if parts.password_command is not None:
        given["password"] = _Given("", "--password-command")  # which `renewal` runs
    return given


def _names_a_place(family: _Family, environ: Mapping[str, str]) -> str:
    """The variable that says that this family is meant, empty if none does."""
    (host,) = family.variables["host"]
    names = [host, f"{host}_FILE"] if family.files else [host, "PGHOSTADDR", "PGSERVICE"]
    return next((name for name in names if environ.get(name)), "")


def names_files(environ: Mapping[str, str]) -> bool:
    """Whether a variable of an image names a file with a part."""
    names = (name for family in _FAMILIES if family.files for _, name in _names(family))
    return any(environ.get(f"{name}_FILE") for name in names)


def _names(family: _Family) -> Iterator[tuple[str, str]]:
    """Part and variable."""
    return ((part, name) for part, names in family.variables.items() for name in names)


def _of_variables(family: _Family, environ: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    """Part and value of the variables that are set."""
    for part, name in _names(family):
        value, file = environ.get(name), environ.get(f"{name}_FILE") if family.files else None
        if value and file:
            raise ConfigurationError(
                f"{name} and {name}_FILE are both set", hint="Unset one of them for agtool."
            )
        if file:
            value = _read(Path(file), part)
        # Kubernetes sets POSTGRES_PORT=tcp://10.0.0.1:5432 for a service called postgres.
        if value and not (part == "port" and value.startswith("tcp://")):
            yield part, _Given(value, f"{name}_FILE" if file else name)


def _read(file: Path, what: str) -> str:
    return one_line(read_file(file, what), str(file), what)


def _value(database: Database, part: str) -> str | None:
    value = getattr(database, part)
    if value is None and part in ("host", "port"):
        value = database.options.get(part)
    return None if value is None else str(value)


def with_parts(database: Database, parts: Mapping[str, str]) -> Database:
    """The database with these parts in place of its own.

    Raises:
        ConfigurationError: a port is none, or there are not as many of them as hosts.
    """
    port = parts.get("port", "")
    host = parts.get("host", "")
    several = port.count(",") if database.engine == "postgresql" else 0
    if not several and port and not is_port(port):
        raise ConfigurationError(
            f"the database's port {port[:20]!r} is not a number from 1 to 65535"
        )
    made = database._replace(
        user=parts.get("user", database.user),
        password=parts.get("password", database.password),
        database=parts.get("database", database.database),
    )
    if port and not several:
        made = made._replace(port=int(port))
    if not host:
        return made
    if host.startswith("/"):
        return with_socket(made, host)
    if several or "," in host:
        ports = port.split(",") if port else []
        hosts = [f"[{name}]" if name.count(":") > 1 else name for name in host.split(",")]
        if len(ports) not in (0, 1, len(hosts)):
            raise ConfigurationError("the database has not as many ports as hosts")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        joined = [f"{name}:{ports[i]}" if ports else name for i, name in enumerate(hosts)]
        return with_hosts(made, ",".join(joined))
    with_host = with_hosts(made, f"[{host}]" if host.count(":") > 1 else host)
    return with_host._replace(port=made.port) if port else with_host
