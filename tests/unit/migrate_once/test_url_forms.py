"""What other languages write for a database: read, or refused without its password."""

from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.url import Database, parse
from agtool.migrate_once.url.options import translate
from agtool.migrate_once.url.schemes import ENGINES

MARK = "s3cr3t"

_text = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1, max_size=12)
_host = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,10}[A-Za-z0-9])?", fullmatch=True)
_ports = st.none() | st.integers(1, 65535)
_name = _text.filter(lambda text: not set(text) & set("@/?") and text.strip() == text)


def account(database: Database) -> tuple[str | None, str | None, str | None]:
    return database.user, database.password, database.database


# -- round trips --------------------------------------------------------------------------


@given(
    user=_text.filter(lambda t: not set(t) & set(":@/")), password=_text, host=_host, port=_ports
)
@example(user="root", password="p@ss/w:(x)?y", host="db", port=3306)
@example(user="root", password="tcp(", host="db", port=None)
def test_go(user: str, password: str, host: str, port: int | None) -> None:
    place = host if port is None else f"{host}:{port}"
    read = parse(f"{user}:{password}@tcp({place})/shop%2F1?parseTime=true&loc=Europe%2FBerlin")
    assert account(read) == (user, password, "shop/1")
    assert (read.engine, read.host, read.port) == ("mysql", host, port)
    assert read.options == {"parseTime": "true", "loc": "Europe/Berlin"}


@given(user=_text, password=_text, host=_host, port=_ports)
def test_golang_migrate(user: str, password: str, host: str, port: int | None) -> None:
    place = host if port is None else f"{host}:{port}"
    read = parse(f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@tcp({place})/shop")
    assert account(read) == (user, password, "shop")
    assert (read.engine, read.host, read.port) == ("mysql", host, port)


@given(
    scheme=st.sampled_from(["postgresql", "mysql"]),
    user=_text,
    password=_text,
    host=_host,
    port=_ports,
    name=_name,
)
def test_jdbc(  # noqa: PLR0917  # hypothesis gives them by name
    scheme: str, user: str, password: str, host: str, port: int | None, name: str
) -> None:
    place = host if port is None else f"{host}:{port}"
    options = urlencode({"user": user, "password": password, "connectTimeout": "3"})
    read = parse(f"jdbc:{scheme}://{place}/{quote(name)}?{options}")
    assert account(read) == (user, password, name)
    assert (read.host, read.port, read.options) == (host, port, {"connectTimeout": "3"})
    assert read.engine == ("postgresql" if scheme == "postgresql" else "mysql")


@given(user=_text, password=_text, host=_host, port=_ports, name=_name)
@example(user="a%40b", password="100%25 + p@ss/w?", host="db", port=3306, name="shop")
def test_jdbc_of_mariadb_is_not_encoded(
    user: str, password: str, host: str, port: int | None, name: str
) -> None:
    """As org.mariadb.jdbc.Configuration of 3.5 reads it: even of 100%25 nothing is decoded."""
    user, password = user.replace("&", "-").replace("@", "-"), password.replace("&", "-")
    place = host if port is None else f"{host}:{port}"
    read = parse(f"jdbc:mariadb://{place}/{name}?user={user}&password={password}")
    assert account(read) == (user, password, name)
    assert (read.engine, read.host, read.port, read.options) == ("mysql", host, port, {})


@pytest.mark.parametrize(
    ("url", "engine", "read"),
    [
        ("r2dbc:postgresql://u:p%40@db:5432/shop", None, "postgresql://u:p%40@db:5432/shop"),
        ("r2dbc:pool:mariadb://u:p@db/shop?a=b", None, "mariadb://u:p@db/shop?a=b"),
        ("r2dbc:proxy:pool:mysql://u@db/shop", None, "mysql://u@db/shop"),
        ("ecto://u:p@db/shop?ssl=true", "postgresql", "postgresql://u:p@db/shop?ssl=true"),
        ("ecto://u:p@db/shop", "mysql", "mysql://u:p@db/shop"),
        ("ecto://u:p@db:5432/shop", None, "postgresql://u:p@db:5432/shop"),
        ("ecto://u:p@db:3306/shop?pool_size=5", None, "mysql://u:p@db:3306/shop?pool_size=5"),
        ("ecto://u:p%24@[::1]:3306/shop", None, "mysql://u:p%24@[::1]:3306/shop"),
    ],
)
def test_r2dbc_and_ecto(url: str, engine: str | None, read: str) -> None:
    assert parse(url, engine) == parse(read)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (f"ecto://u:{MARK}@db/shop", "--engine postgresql or --engine mysql"),
        (f"ecto://u:{MARK}@db:6432/shop", "--engine postgresql or --engine mysql"),
        (f"r2dbcs:postgresql://u:{MARK}@db/shop", "r2dbc: with an sslMode"),
        (f"r2dbc:mssql://u:{MARK}@db/shop", "agtool knows postgresql"),
        (f"r2dbc:{MARK}", "Write postgresql://"),
    ],
)
def test_r2dbc_and_ecto_that_are_refused(url: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(url)
    assert hint in (raised.value.hint or "")
    assert MARK not in f"{raised.value} {raised.value.hint}"


def _keyword(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(user=_text, password=_text, host=_host, port=_ports, name=_name)
def test_keywords(user: str, password: str, host: str, port: int | None, name: str) -> None:
    name = name.replace("=", "-").replace(":", "-")
    words = {"host": host, "dbname": name, "user": user, "password": password}
    if port is not None:
        words["port"] = str(port)
    text = " ".join(f"{key} = {_keyword(value)}" for key, value in words.items())
    read = parse(text + " sslmode=require")
    assert account(read) == (user, password, name)
    assert (read.engine, read.host, read.port) == ("postgresql", host, port)
    assert read.options == {"sslmode": "require"}


@given(places=st.lists(st.tuples(_host, _ports), min_size=2, max_size=4), password=_text)
def test_several_hosts(places: list[tuple[str, int | None]], password: str) -> None:
    hosts = ",".join(host if port is None else f"{host}:{port}" for host, port in places)
    for url in (
        f"postgresql://u:{quote(password, safe='')}@{hosts}/shop?sslmode=require",
        f"jdbc:postgresql://{hosts}/shop?" + urlencode({"user": "u", "password": password}),
    ):
        read = parse(url)
        assert account(read) == ("u", password, "shop")
        assert read.options["host"] == ",".join(host for host, _ in places)
        ports = read.options.get("port", "," * (len(places) - 1))
        assert ports == ",".join(str(port or "") for _, port in places)
        assert str(read) == f"postgresql://u@{hosts}/shop"


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


@given(user=_text, password=_text, host=_host, port=_ports, name=_name)
@example(user="u", password="p'\";=w", host="db", port=3306, name="shop")
def test_dotnet(user: str, password: str, host: str, port: int | None, name: str) -> None:
    for engine, (server, account_name, word) in {
        "postgresql": ("Host", "Username", "Password"),
        "mysql": ("Server", "User ID", "Pwd"),
    }.items():
        words = {server: host, "Database": name, account_name: user, word: password}
        if port is not None:
            words["Port"] = str(port)
        text = ";".join(f"{key}={_quoted(value)}" for key, value in words.items())
        read = parse(f"{text};SSL Mode=Required;Pooling=true;", engine)
        assert account(read) == (user, password, name)
        assert (read.engine, read.host, read.port) == (engine, host, port)
        assert read.options == {"SSL Mode": "Required", "Pooling": "true"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Host=db;Username=u;Password=p=;Database=shop", "postgresql://u@db/shop"),
        ("host=h1:1,h2:2;username=u;database=shop", "postgresql://u@h1:1,h2:2/shop"),
        ("Server=db;Port=5432;Uid=u;Pwd=p;Initial Catalog=shop", "postgresql://u@db:5432/shop"),
        ("Server=db; Port=3306; User=u; Password=p; Database=shop", "mysql://u@db:3306/shop"),
        ("Host=/run/postgresql;Username=u;Database=shop", "postgresql://u@/shop"),
        ("pgsql:host=db;port=5433;dbname=shop;user=u;password=p", "postgresql://u@db:5433/shop"),
        ("mysql:host=db;dbname=shop;charset=utf8mb4", "mysql://db/shop"),
        ("mysql:unix_socket=/run/my.sock;dbname=shop", "mysql:///shop"),
        ("sqlite:/data/shop.db", "sqlite:////data/shop.db"),
        ("Data Source=shop.db", "sqlite:///shop.db"),
        ("Data Source=/a b.db;Mode=ReadOnly", "sqlite:////a b.db"),
        # Others' forms with the same signs in them.
        ("host=db dbname=shop user=u password=a;b=c", "postgresql://u@db/shop"),
        ("password=a;b=c host=db user=u dbname=shop", "postgresql://u@db/shop"),
        ("mysql:p;w@tcp(db:3306)/shop", "mysql://mysql@db:3306/shop"),
    ],
)
def test_semicolons(text: str, read: str) -> None:
    assert str(parse(text)) == read


# -- whatever it is -----------------------------------------------------------------------

_piece = st.sampled_from(
    [
        *("postgresql://", "mysql://", "sqlite3:", "jdbc:", "jdbc:mysql://", "jdbc:postgresql:"),
        *("user", ":", "@", "/", "?", "&", "=", "'", "\\", " ", ";", ",", "(", ")", "[", "]", "%"),
        *("tcp(", "unix(", "host=", "password=", "dbname=", "port=", "db", "5432", "::1", "%2F"),
        *("{", "}", "ssl=", "sslmode=", "timeout=", "é", "\t"),
    ]
)


@given(st.lists(_piece, max_size=14).map("".join))
def test_nothing_but_our_errors(text: str) -> None:
    with suppress(ConfigurationError):
        str(parse(text))


@given(st.text(max_size=40))
def test_nothing_but_our_errors_for_any_text(text: str) -> None:
    with suppress(ConfigurationError):
        str(parse(text))


# The mark stands where a password does, with whatever an encoding may have been forgotten for.
_dirty = st.text(st.sampled_from("@/:?#%&'\\ ;,()=[]a"), max_size=4)


@given(before=_dirty, after=_dirty)
@pytest.mark.parametrize(
    "form",
    [
        "postgresql://user:{}@host:5432/db",
        "postgresql://user:{}@h1,h2:5432/db?sslmode=require",
        "mysql2://user:{}@host/db",
        "mysql://user:{}@tcp(host:3306)/db",
        "user:{}@tcp(host:3306)/db?tls=true",
        "user:{}@unix(/socket)/db",
        "user:{}@/db",
        "user:{}@host/db",
        "host=host user=user password={}",
        "host=host user=user password='{}'",
        "Host=host;Username=user;Password={}",
        "jdbc:postgresql://host/db?user=user&password={}",
        "jdbc:mysql://user:{}@host/db",
        "mysql:host=host;password={}",
        "oracle://user:{}@host/db",
        "DATABASE_URL=postgresql://user:{}@host/db",
    ],
)
def test_no_password_in_text_or_message(form: str, before: str, after: str) -> None:
    # Of a password that is cut in two, the part with the mark must be in the right place.
    text = form.format(before + MARK + after)
    read: Database | None = None
    warnings: tuple[str, ...] = ()
    caught: list[ConfigurationError] = []
    try:
        read = parse(text)
        warnings = translate(read, lambda _: False).warnings
    except ConfigurationError as error:
        caught.append(error)
    assert MARK not in f"{read}{read!r}{warnings}"
    for refusal in caught:
        assert MARK not in refusal.message + refusal.hint + (refusal.subject or "")
        assert refusal.__cause__ is None


# -- one by one ---------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", sorted(ENGINES))
def test_schemes(scheme: str) -> None:
    assert parse(f"{scheme}:///db").engine == ENGINES[scheme]
    assert parse(f"{scheme.replace('-', '_')}:///db").engine == ENGINES[scheme]


@pytest.mark.parametrize(
    "driver",
    [
        *("postgresql+psycopg_async", "postgresql+psycopg2cffi", "postgresql+asyncpg"),
        *("mysql+mysqlconnector", "mysql+asyncmy", "mariadb+mariadbconnector", "mysql+mysqldb"),
        *("sqlite+aiosqlite", "sqlite+pysqlite_numeric"),
    ],
)
def test_drivers_of_sqlalchemy(driver: str) -> None:
    read = parse(f"{driver}:///db")
    assert (read.engine, read.driver) == (
        ENGINES[driver.partition("+")[0]],
        driver.partition("+")[2],
    )


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("cockroachdb://u:s3cr3t@h/db", "CockroachDB"),
        ("redshift+psycopg2://u:s3cr3t@h/db", "Redshift"),
        ("ysql://u:s3cr3t@h/db", "YugabyteDB"),
        ("prisma+postgres://accelerate.example/?api_key=s3cr3t", "Prisma's proxy"),
        ("mysqlx://u:s3cr3t@h/db", "X Protocol"),
        ("mongodb+srv://u:s3cr3t@h/db", "unknown dialect 'mongodb'"),
        ("jdbc:mysql:loadbalance://h1,h2/db?password=s3cr3t", "only its JDBC driver knows"),
        ("jdbc:aws-wrapper:postgresql://h1/db?password=s3cr3t", "only its JDBC driver knows"),
        ("jdbc:mysql+srv:loadbalance://h/db?password=s3cr3t", "only its JDBC driver knows"),
        ("jdbc:mysql://address=(host=h)(port=1)/d?password=s3cr3t", "only its JDBC driver knows"),
        ("jdbc:mysql://(host=h,password=s3cr3t)/d", "only its JDBC driver knows"),
        ("jdbc:mariadb://address=(host=h)/d?password=s3cr3t", "only its JDBC driver knows"),
        ("jdbc:mariadb://h/d?user=u&password=a&s3cr3t=b", "after the password"),
        ("jdbc:oracle:thin:u/s3cr3t@h", "not valid"),
        ("jdbc:mysql://h1,h2/db", "2 hosts"),
        ("mysql://u:s3cr3t@h1,h2/db", "2 hosts"),
        ("u:s3cr3t@cloudsql(p:r:i)/db", "'cloudsql'"),
        ("Server=h;User ID=u;Password=s3cr3t", "of which kind"),
        ("host=h;password=s3cr3t", "of which kind"),
        ("Host=h;Server=i;Username=u;Password=s3cr3t", "two of what is to be one: host"),
        ("Host=h;Username=u;Password='s3cr3t", "not valid"),
        ("Server=tcp:h,1433;Port=3306;User Id=u;Password=s3cr3t", "not valid"),
        ("pgsql:host=h;port=s3cr3t;dbname=d", "not valid"),
        ("file:./dev.db", "Prisma's form of a file"),
        ("DATABASE_URL=postgresql://u:s3cr3t@h/db", "not valid"),
        ("postgresql://u@h/db?user=v", "two of what is to be one"),
        ("jdbc:mysql://h/d?user=u&password=a&s3cr3t=b", "after the password"),
        ("jdbc:mysql://h/d?user=u&password=&s3cr3t=b", "after the password"),
        ("jdbc:mysql://h/d?user=u&password=a&s3cr3t", "after the password"),
        ("postgresql://h/db?sslmode=", "TLS in the database URL is empty"),
        ("mysql://h/db?useSSL=&pool=5", "TLS in the database URL is empty"),
        ("u:p@tcp(h)/db?tls=", "TLS in the database URL is empty"),
        ("host=h port=99999", "not valid"),
        ("host=h port=0", "not valid"),
        ("jdbc:mysql://h:0/d", "not valid"),
        ("u:p@tcp(h:0)/d", "not valid"),
        ("mysql:host=h;port=0;dbname=d", "not valid"),
        ("mysql://h/d?port=0", "not valid"),
        ("mysql://u:p!ü@h:0/d", "not valid"),
        ("postgresql://h1,h2:0/db", "not valid"),
        ("postgresql://h1,h2:99999/db", "not valid"),
        ("dbname='postgresql://u:s3cr3t@h/db'", "not valid"),
    ],
)
def test_refused(url: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part) as caught:
        parse(url)
    assert MARK not in caught.value.message + caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@[::1]:1,[::2]:2/db", "postgresql://u@[::1]:1,[::2]:2/db"),
        ("postgresql://u:p@/db?host=h1:1&host=h2", "postgresql://u@h1:1,h2/db"),
        ("postgresql://u:p@%2Fvar%2Frun/db", "postgresql://u@/db"),
        ("host=h1,h2 port=1 dbname=db", "postgresql://h1:1,h2:1/db"),
        ("host=/var/run dbname=db", "postgresql:///db"),
        ("jdbc:postgresql:db", "postgresql://localhost/db"),
        ("jdbc:postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("u:p@/db", "mysql://u@127.0.0.1/db"),
        ("u:p@tcp/db", "mysql://u@127.0.0.1/db"),
        ("u:p@unix(/run/my.sock)/db", "mysql://u@/db"),
        ("mysql:///db?host=h&port=3307&user=u&password=p", "mysql://u@h:3307/db"),
        ("sqlite3:rel/x.db", "sqlite:///rel/x.db"),
        ("sqlite3:/abs/x.db", "sqlite:////abs/x.db"),
        ("sqlite3:///abs/x.db", "sqlite:////abs/x.db"),
        ("sqlite3://rel/x.db", "sqlite:///rel/x.db"),
        ("jdbc:sqlite:rel/x.db", "sqlite:///rel/x.db"),
    ],
)
def test_shown(url: str, shown: str) -> None:
    assert str(parse(url)) == shown


def test_a_socket_of_go() -> None:
    assert parse("u:p@unix(/run/my.sock)/db").options == {"unix_socket": "/run/my.sock"}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h:{}/db",
        "postgresql://h,i:{}/db",
        "jdbc:mysql://h:{}/db",
        "u:p@tcp(h:{})/db",
        "host=h port={}",
        "mysql://h/db?port={}",
        "postgresql://u:p#@h:{}/db",
    ],
)
def test_a_port_of_thousands_of_digits(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not valid"):
        parse(url.format("9" * 6000))
