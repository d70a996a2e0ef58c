"""A text -> the parts of the database's address."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.url.database import Database, unreadable
from agtool.migrate_once.url.schemes import engine

# Where RFC 3986 and SQLAlchemy cannot disagree. Importing SQLAlchemy costs 200 ms of CPU in every
# replica, ten times the work of the fast path, so it reads only what this does not match.
_PLAIN = re.compile(
    r"(?P<scheme>[a-z0-9_-]+(\+[a-z0-9_]+)?)://"
    r"((?P<user>[\w.~%-]+)(:(?P<password>[\w.~%!$*+-]*))?@)?"
    r"(?P<hosts>[A-Za-z0-9.-]+(:[0-9]+)?(,[A-Za-z0-9.-]+(:[0-9]+)?)*)?"
    r"/(?P<path>[\w./~%-]*)"
    r"(\?(?P<query>[\w.~%=&:,+/-]*))?",
    re.ASCII,
)

_OTHER_FORMS = re.compile(
    r"(?P<jdbc>jdbc:)|(?P<file>sqlite3:)"
    r"|(?P<url>[A-Za-z][A-Za-z0-9_+.-]*://)|(?P<keywords>\s*[A-Za-z][A-Za-z_ ]*=)",
)

# Go's form, before its last slash: [user[:password]@][protocol[(address)]]
_GO = re.compile(r"(.*@)?((tcp|unix)|[a-z][a-z0-9+.-]*(?=\())?(\([^()]*\))?", re.DOTALL)

# The account as SQLAlchemy reads it, then host and path. An @ in those belongs to a password
# that is not encoded: its tail is taken for the host, and messages would show it. If it has a ?,
# too, what follows that is taken for options, up to the real host and its slash.
_ACCOUNT_AND_REST = re.compile(r"[^:]*://(?:[^:/]*(?::[^@]*)?@)?(.*)", re.DOTALL)
_TORN_PASSWORD = re.compile(r"[^?]*@|[^?]*\?.*@[^&]*/", re.DOTALL)

_HOSTS = re.compile(
    r"(?P<before>[^:]*://(?:[^:/@]*(?::[^@]*)?@)?)"
    r"(?P<hosts>[^/?@,]+(?:,[^/?@,]+)+)(?P<after>[/?].*|)",
    re.DOTALL,
)


def parse(url: str) -> Database:
    """Read what names a database: a URL as SQLAlchemy reads it, or one of the other `forms`.

    Raises:
        ConfigurationError: it is not valid, or names an engine that agtool does not know.
    """
    if re.search(r"[\x00-\x1f]", url):  # a line's end in the middle, say
        raise unreadable()
    plain = _PLAIN.fullmatch(url)
    form = _OTHER_FORMS.match(url) if plain is None or url.startswith("sqlite3") else None
    if plain is not None and form is None:
        return _checked(_read_plain(plain))
    return _checked(_read_form(url, form))


def _read_plain(parts: re.Match[str]) -> Database:
    scheme, hosts = parts["scheme"], parts["hosts"] or ""
    host, colon, port = hosts.partition(":")
    query: dict[str, tuple[str, ...]] = {}
    for key, value in parse_qsl(parts["query"] or ""):
        query[key] = (*query.get(key, ()), value)
    database = Database(
        engine=engine(scheme),
        driver=scheme.partition("+")[2] or None,
        user=_unquote(parts["user"]),
        password=_unquote(parts["password"]),
        host=None,
        port=None,
        database=unquote(parts["path"]) or None,
        query=query,
    )
    if "," in hosts:
        from agtool.migrate_once.url import forms

        return forms.with_hosts(database, hosts)
    if colon and int(port) > 65535:
        raise unreadable()
    return database._replace(host=host or None, port=int(port) if colon else None)


def _read_form(url: str, form: re.Match[str] | None) -> Database:
    from agtool.migrate_once.url import forms

    kind = None if form is None else form.lastgroup
    if kind == "jdbc":
        return forms.jdbc(url)
    if kind == "file":
        return forms.sqlite_file(url)
    if kind == "keywords":
        return forms.keywords(url)
    if kind == "url" and form is not None:
        after = url[form.end() :]
        if form[0] == "mysql://" and _is_go(after):  # golang-migrate's
            return forms.go(after, encoded=True)
        return _read_with_sqlalchemy(url, form[0].removesuffix("://"))
    forms.name_other_forms(url)
    if _is_go(url):
        return forms.go(url, encoded=False)
    raise unreadable()


def _is_go(text: str) -> bool:
    before, slash, _ = text.rpartition("/")
    found = _GO.fullmatch(before) if slash else None
    return found is not None and (before.endswith(")") or (found[1] is not None and not found[4]))


def _read_with_sqlalchemy(url: str, scheme: str) -> Database:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    known = engine(scheme)
    hosts = _HOSTS.fullmatch(url) if known != "sqlite" else None
    if hosts is not None:  # several: SQLAlchemy takes them for a port
        url = hosts["before"] + "several" + hosts["after"]
    try:
        # It does not know a - in a name.
        made = make_url(known + url[len(scheme) :])
    except (ArgumentError, ValueError):
        # The message may hold the URL and so the password: neither quoted nor chained.
        raise unreadable() from None
    rest = _ACCOUNT_AND_REST.match(url)
    if known != "sqlite" and rest is not None and _TORN_PASSWORD.match(rest[1]):
        raise unreadable()
    database = Database(
        engine=known,
        driver=scheme.partition("+")[2] or None,
        user=made.username,
        password=made.password,
        host=made.host,
        port=made.port,
        database=made.database or None,
        query={k: (v,) if isinstance(v, str) else tuple(v) for k, v in made.query.items()},
    )
    if hosts is not None:
        from agtool.migrate_once.url import forms

        return forms.with_hosts(database, hosts["hosts"])
    if "%2f" in (made.host or "").lower() and known != "sqlite":
        from agtool.migrate_once.url import forms

        return forms.with_socket(database, unquote(made.host or ""))
    return database


def _checked(database: Database) -> Database:
    """With the account, and on MySQL the place, from the options where the URL leaves them open."""
    if not database.query or database.engine == "sqlite":
        return database
    query = dict(database.query)
    parts: dict[str, str] = {}
    for names, part in _PARTS[database.engine]:
        for name in names:
            if name not in query:
                continue
            value, given = query.pop(name)[-1], getattr(database, part) or parts.get(part)
            if given is not None and str(given) != value:
                raise ConfigurationError(
                    f"the database URL has two of what is to be one: {part} and the option {name}",
                    hint=f"Leave out the option {name}, or make it the same.",
                )
            parts[part] = value
    if not parts:
        return database
    if (
        not re.fullmatch(r"[0-9]{0,5}", parts.get("port", ""))
        or int(parts.get("port") or 0) > 65535
    ):
        raise unreadable()
    # Where it is empty.
    return database._replace(
        query=query,
        user=parts.get("user", database.user),
        password=parts.get("password", database.password),
        host=parts.get("host", database.host),
        port=int(parts["port"]) if parts.get("port") else database.port,
        database=parts.get("database", database.database),
    )


_ACCOUNT = ((("user", "username"), "user"), (("password", "passwd"), "password"))
_PARTS = {
    # The rest is libpq's own.
    "postgresql": (*_ACCOUNT, (("database",), "database")),
    "mysql": (
        *_ACCOUNT,
        (("host",), "host"),
        (("port",), "port"),
        (("database", "dbname", "db"), "database"),
    ),
}


def _unquote(text: str | None) -> str | None:
    return None if text is None else unquote(text)
