"""The forms in which other languages write what a URL says, and several hosts in a URL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, unquote_plus

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.url.database import Database, is_port, unreadable

_OTHER_FORMS = re.compile(
    r"(?P<jdbc>jdbc:)|(?P<file>sqlite3:)"
    r"|(?P<url>[A-Za-z][A-Za-z0-9_+.-]*://)|(?P<keywords>\s*[A-Za-z][A-Za-z_ ]*=)",
)

# Go's form, before its last slash: [user[:password]@][protocol[(address)]]
_GO = re.compile(r"(.*@)?((tcp|unix)|[a-z][a-z0-9+.-]*(?=\())?(\([^()]*\))?", re.DOTALL)

_KEYWORD = re.compile(
    r"\s*(?P<name>[A-Za-z_]+)\s*=\s*(?P<value>'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|)"
    r"(?=\s|$)"
)

_KNOWN = {"host", "hostaddr", "port", "user", "password", "dbname", "service"}

_ITEM = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<name>[\w.-]+))(?::(?P<port>\d+))?")

_JDBC = re.compile(
    r"jdbc:(?P<kind>postgresql|mysql|mariadb):(?://(?P<place>[^/?]*)(?:/|(?=\?)|$))?(?P<database>[^?]*)"
    r"(?:\?(?P<query>.*))?"
)

_JDBC_ONLY = re.compile(
    r"jdbc:(?:(?:mysql|mariadb):[a-z-]+://|(?:mysql\+srv|aws-wrapper):"
    r"|(?:mysql|mariadb)://(?:address=)?\()"
)
"""Load balancing, replication and the like, and `address=(host=h)(port=3306)`."""

_JDBC_DRIVERS = {
    "postgresql": ("postgresql", "pgjdbc"),
    "mysql": ("mysql", "connector-j"),
    "mariadb": ("mysql", "mariadb-connector-j"),
}


def read(text: str) -> Database:
    """What a text says that is not a plain URL.

    Raises:
        ConfigurationError: it cannot be read.
    """
    form = _OTHER_FORMS.match(text)
    kind = None if form is None else form.lastgroup
    if kind == "jdbc":
        return jdbc(text)
    if kind == "file":
        return sqlite_file(text)
    if kind == "keywords":
        try:
            return keywords(text)
        except ConfigurationError:
            # Go's, of an account with a = in its name; but a text with libpq's own words is
            # libpq's, and its password must not be taken for a name.
            if re.search(r"\b(host|user|password|dbname) *=", text) or not _is_go(text):
                raise
    if kind == "url" and form is not None:
        after = text[form.end() :]
        if form[0] == "mysql://" and _is_go(after):  # golang-migrate's
            return go(after, encoded=True)
        return _general(text, form[0].removesuffix("://"))
    name_other_forms(text)
    if _is_go(text):
        return go(text, encoded=False)
    raise unreadable()


def _general(text: str, scheme: str) -> Database:
    from agtool.migrate_once.url import general

    found = general.read(text, scheme)
    if found.hosts:
        return with_hosts(found.database, found.hosts)
    host = found.database.host or ""
    if "%2f" in host.lower() and found.database.engine != "sqlite":
        return with_socket(found.database, unquote(host))
    return found.database


def _is_go(text: str) -> bool:
    before, slash, _ = text.rpartition("/")
    found = _GO.fullmatch(before) if slash else None
    return found is not None and (before.endswith(")") or (found[1] is not None and not found[4]))


def jdbc(text: str) -> Database:
    """`jdbc:postgresql://host:5432/database?user=...&password=...`, MySQL's and MariaDB's.

    MariaDB's driver decodes nothing (org.mariadb.jdbc.Configuration, 3.5), the others do.

    https://jdbc.postgresql.org/documentation/use/
    https://dev.mysql.com/doc/connector-j/en/connector-j-reference-jdbc-url-format.html
    https://mariadb.com/docs/connectors/mariadb-connector-j/about-mariadb-connector-j

    Raises:
        ConfigurationError: it cannot be read, or only its driver knows what it means.
    """
    if text.startswith("jdbc:sqlite:"):
        return _file(text.removeprefix("jdbc:sqlite:").partition("?")[0])
    if _JDBC_ONLY.match(text):
        raise ConfigurationError(
            "the database URL names its servers in a way that only its JDBC driver knows",
            hint="Give agtool the URL of the primary, such as jdbc:mysql://host:3306/database.",
        )
    parts = _JDBC.fullmatch(text)
    if parts is None or (parts["place"] is None and ":" in parts["database"]):
        raise unreadable()
    has_account = "@" in (parts["place"] or "")
    options, encoded = parts["query"] or "", parts["kind"] != "mariadb"
    others = options if encoded else re.sub(r"(?:^|&)password=[^&]*", "", options)
    if "@" in parts["database"] or re.search(r"@[^&]*/", others):
        raise unreadable()  # a password's end, if that is not encoded
    if has_account and "@" in options:
        raise unreadable()
    engine, driver = _JDBC_DRIVERS[parts["kind"]]
    query = _query(options) if encoded else _literal(options)
    _refuse_torn_password(options, encoded=encoded)
    database_name = parts["database"].lstrip("/")
    account, _, place = (parts["place"] or "").rpartition("@")
    user, colon, password = account.partition(":")
    database = Database(
        engine=engine,
        driver=driver,
        user=unquote(user) or None,
        password=unquote(password) if colon else None,
        host=None,
        port=None,
        database=(unquote(database_name) if encoded else database_name) or None,
        query=query,
    )
    return with_hosts(database, place or "localhost")


def go(text: str, *, encoded: bool) -> Database:
    """`user:password@tcp(host:3306)/database?parseTime=true`, where nothing but options is encoded.

    https://github.com/go-sql-driver/mysql#dsn-data-source-name

    encoded: as golang-migrate has it, after mysql://, with the account percent-encoded.

    Raises:
        ConfigurationError: it cannot be read, or has a protocol that a program has to register.
    """
    before, _, after = text.rpartition("/")
    name, _, options = after.partition("?")
    account, _, address = before.rpartition("@")
    user, colon, password = account.partition(":")
    if "@" in name:
        raise unreadable()
    if encoded:
        user, password = unquote_plus(user), unquote_plus(password)
    protocol, bracket, place = address.partition("(")
    place = place.removesuffix(")")
    database = Database(
        engine="mysql",
        driver="go-sql-driver",
        user=user or None,
        password=password if colon else None,
        host=None,
        port=None,
        database=unquote(name) or None,
        query=_query(options),
    )
    if protocol == "unix":
        socket = place or "/tmp/mysql.sock"  # noqa: S108  # the driver's own default
        return database._replace(query={**database.query, "unix_socket": (socket,)})
    if protocol in ("", "tcp") and not (bracket and not place):
        return with_hosts(database, place or "127.0.0.1")
    if protocol in ("", "tcp"):
        return database._replace(host="127.0.0.1")
    raise ConfigurationError(
        f"agtool cannot reach the database by {protocol[:20]!r}, which a program in Go registers",
        hint="Give agtool an address with tcp(host:3306) or unix(/path) in AGTOOL_DATABASE_URL.",
    )


def of_an_engine(url: str, engine: str | None) -> str:
    """A URL that names its engine: of Java's `r2dbc:`, and of Elixir's `ecto://`, which does not.

    https://r2dbc.io/spec/1.0.0.RELEASE/spec/html/#overview.connection.url
    https://hexdocs.pm/ecto/Ecto.Repo.html#module-urls

    engine: as by --engine.

    Raises:
        ConfigurationError: nothing says of which engine it is.
    """
    if url.startswith("r2dbc:"):
        return re.sub(r"r2dbc:(?:(?:pool|proxy):)*", "", url, count=1)
    port = re.search(r":(\d+)(?:[/?]|$)", url)
    known = engine or {"5432": "postgresql", "3306": "mysql"}.get(port[1] if port else "")
    if known is None:
        raise ConfigurationError(
            "the database URL with ecto:// does not say of which kind the database is",
            hint="Add --engine postgresql or --engine mysql (or AGTOOL_ENGINE).",
        )
    return known + url.removeprefix("ecto")


def keywords(text: str) -> Database:
    """libpq's `host=... dbname=...`, which lib/pq and pgx read as well.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING

    Raises:
        ConfigurationError: it cannot be read.
    """
    given: dict[str, str] = {}
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _KEYWORD.match(text, at)
        if found is None:
            name_other_forms(text)
            raise unreadable()
        at, value = found.end(), found["value"]
        if value.startswith("'"):
            value = value[1:-1]
        given[found["name"]] = re.sub(r"\\(.)", r"\1", value)
    if not _KNOWN & given.keys():  # `DATABASE_URL=...`, say
        name_other_forms(text)
        raise unreadable()
    user, password = given.pop("user", None), given.pop("password", None)
    name, host, port = (given.pop(key, "") for key in ("dbname", "host", "port"))
    # What libpq would read as a connection string once more, or what is no list of hosts.
    if "=" in name or "://" in name or not re.fullmatch(r"[\w.,:%/@+ -]*", host):
        name_other_forms(text)
        raise unreadable()
    database = Database(
        engine="postgresql",
        driver=None,
        user=user or None,
        password=password or None,
        host=None,
        port=None,
        database=name or None,
        query={key: (value,) for key, value in given.items() if value},
    )
    if re.fullmatch(r"[\w.-]+", host) and "," not in port:
        if port and not is_port(port):
            raise unreadable()
        return database._replace(host=host, port=int(port) if port else None)
    # Sockets, addresses of IPv6, several hosts: libpq's own words.
    place = {key: (value,) for key, value in (("host", host), ("port", port)) if value}
    return database._replace(query={**database.query, **place})


def sqlite_file(text: str) -> Database:
    """`sqlite3:relative.db` and `sqlite3:/absolute.db`, with or without two slashes more.

    As Rails and golang-migrate have it, where `sqlite3:///file` is absolute.
    https://guides.rubyonrails.org/configuring.html#configuring-a-database
    """
    path = text.partition("?")[0].partition(":")[2]
    return _file(unquote(path.removeprefix("//")))


def with_hosts(database: Database, hosts: str) -> Database:
    """With one host, or several as libpq has them: `h1:5432,h2:5432`.

    Raises:
        ConfigurationError: they cannot be read, or are several on MySQL.
    """
    items = [_ITEM.fullmatch(item) for item in hosts.split(",")]
    places = [((i["v6"] or i["name"]), i["port"] or "") for i in items if i is not None]
    if len(places) != len(items) or not all(is_port(port) for _, port in places if port):
        raise unreadable()
    if len(places) == 1:
        ((host, port),) = places
        return database._replace(host=host, port=int(port) if port else None)
    if database.engine != "postgresql":
        raise ConfigurationError(
            f"the database URL names {len(places)} hosts, and on MySQL agtool uses one",
            hint="A lock on one server does not stop who uses another. Give agtool the URL of the "
            "primary in AGTOOL_DATABASE_URL.",
        )
    query = {**database.query, "host": (_joined(host for host, _ in places),)}
    if any(port for _, port in places):
        query["port"] = (_joined(port for _, port in places),)
    return database._replace(host=None, port=None, query=query)


def with_socket(database: Database, path: str) -> Database:
    """With a Unix socket, which libpq and others write as a host: `%2Fvar%2Frun%2Fpostgresql`."""
    if not path.startswith("/"):
        raise unreadable()
    query = dict(database.query)
    query["host" if database.engine == "postgresql" else "unix_socket"] = (path,)
    if database.engine == "postgresql" and database.port:
        query["port"] = (str(database.port),)
    return database._replace(host=None, port=None, query=query)


def refuse_empty_option(url: str) -> None:
    """Refuse an option about TLS without a value, which would be as if it was not there.

    Raises:
        ConfigurationError: there is one.
    """
    if re.search(r"(?:^|&)[^=&]*(?:ssl|tls|verify)[^=&]*=(?:&|$)", url.rpartition("?")[2], re.I):
        raise ConfigurationError(
            "an option about TLS in the database URL is empty",
            hint="Give it a value, such as sslmode=require, or leave it out. Is a variable of the "
            "shell unset?",
        )


def name_other_forms(text: str) -> None:
    """Say which form it is, if that is known and agtool does not read it.

    Raises:
        ConfigurationError: it is.
    """
    if text.startswith("file:"):
        raise ConfigurationError(
            "agtool does not read Prisma's form of a file, which depends on where its schema lies",
            hint="Write sqlite:////absolute/path or sqlite:///relative/path.",
        )
    if text.startswith("r2dbcs:"):
        raise ConfigurationError(
            "agtool does not read r2dbcs:, whose TLS each driver checks in a way of its own",
            hint="Write r2dbc: with an sslMode, such as verify-full, in AGTOOL_DATABASE_URL.",
        )


def _refuse_torn_password(query: str, *, encoded: bool) -> None:
    """Refuse what follows a password and is no option: it may be the password's end.

    Raises:
        ConfigurationError: it does not show it.
    """
    from agtool.migrate_once.url.table import TABLE

    names = [part.partition("=")[0] for part in query.split("&")]
    following = names[names.index("password") + 1 :][:1] if "password" in names else []
    if {*following} - {"user", ""} - {name for row in TABLE for name in row.names.split(", ")}:
        raise ConfigurationError(
            "the database URL has an option that agtool does not know after the password",
            hint="If it is the end of the password, "
            + ("write %26 for each & in that. " if encoded else "the driver cannot take its &. ")
            + "Else write it before the password, or leave it out.",
        )


def _file(path: str) -> Database:
    return Database("sqlite", None, None, None, None, None, path or None, {})


def _query(text: str) -> dict[str, tuple[str, ...]]:
    return {key: (value,) for key, value in parse_qsl(text)}


def _literal(text: str) -> dict[str, tuple[str, ...]]:
    options = (part.partition("=") for part in text.split("&"))
    return {key: (value,) for key, _, value in options if key and value}


def _joined(items: Iterable[str]) -> str:
    return ",".join(items)
