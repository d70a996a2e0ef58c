"""A database in parts: options, the variables of libpq and of images, and which of them counts."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import ConfigurationError, UnreachableError, UsageError
from agtool.migrate_once.url import Database, Parts, find_database

SECRET = "s3cr3t"


def found(
    environ: dict[str, str] | None = None, url: str | None = None, parts: Parts | None = None
) -> Database:
    return find_database(url, None, parts or Parts(), environ or {})


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """A password as a Secret or an editor leaves it."""
    file = tmp_path / "password"
    file.write_text(f" {SECRET} \n")
    return file


# -- variables ----------------------------------------------------------------------------


def test_libpq() -> None:
    read = found({"PGHOST": "db", "PGPORT": "5433", "PGUSER": "app", "PGDATABASE": "shop"})
    assert str(read) == "postgresql://app@db:5433/shop"
    assert read.password is None  # libpq takes PGPASSFILE and the rest by itself
    assert found({"PGHOST": "db", "PGPASSWORD": SECRET}).password == SECRET
    assert str(found({"PGHOST": "/run", "PGDATABASE": "shop"})) == "postgresql:///shop"
    assert found({"PGHOST": "/run", "PGPORT": "1"}).options == {"host": "/run", "port": "1"}
    assert str(found({"PGHOST": "h1,h2", "PGPORT": "1,2"})) == "postgresql://h1:1,h2:2/"
    assert found({"PGSERVICE": "shop"}).engine == "postgresql"


@pytest.mark.parametrize(
    ("prefix", "port", "database", "engine"),
    [
        ("POSTGRES", "PORT", "DB", "postgresql"),
        ("POSTGRES", "PORT", "DATABASE", "postgresql"),
        ("MYSQL", "TCP_PORT", "DATABASE", "mysql"),
        ("MYSQL", "PORT", "DB", "mysql"),
        ("MARIADB", "TCP_PORT", "DATABASE", "mysql"),
        ("MARIADB", "PORT", "DATABASE", "mysql"),
    ],
)
def test_images(prefix: str, port: str, database: str, engine: str, password: Path) -> None:
    environ = {
        f"{prefix}_HOST": "db",
        f"{prefix}_{port}": "7777",
        f"{prefix}_USER": "app",
        f"{prefix}_{database}": "shop",
    }
    read = found({**environ, f"{prefix}_PASSWORD": SECRET})
    assert str(read) == f"{engine}://app@db:7777/shop"
    assert read.password == SECRET
    assert found({**environ, f"{prefix}_PASSWORD_FILE": str(password)}).password == f" {SECRET} "
    with pytest.raises(ConfigurationError, match="are both set"):
        found({**environ, f"{prefix}_USER_FILE": str(password)})
    del environ[f"{prefix}_USER"]
    assert found({**environ, f"{prefix}_USERNAME": "other"}).user == "other"


def test_two_names_for_the_same() -> None:
    same = {"MYSQL_HOST": "db", "MYSQL_PORT": "1", "MYSQL_TCP_PORT": "1"}
    assert str(found(same)) == "mysql://db:1/"
    with pytest.raises(ConfigurationError, match="MYSQL_TCP_PORT and MYSQL_PORT contradict"):
        found({**same, "MYSQL_PORT": "2"})
    assert str(found({**same, "MYSQL_PORT": "tcp://10.0.0.1:3306"})) == "mysql://db:1/"


def test_what_kubernetes_adds_for_a_service() -> None:
    environ = {"POSTGRES_HOST": "db", "POSTGRES_PORT": "tcp://10.0.0.1:5432"}
    assert str(found(environ)) == "postgresql://db/"
    with pytest.raises(ConfigurationError, match="no database URL"):
        found({"MYSQL_PORT": "tcp://10.0.0.1:3306", "MYSQL_SERVICE_HOST": "10.0.0.1"})


def test_without_a_host_they_are_for_somebody_else() -> None:
    with pytest.raises(ConfigurationError, match="no database URL"):
        found({"MYSQL_USER": "app", "MYSQL_PASSWORD": SECRET, "MYSQL_DATABASE": "shop"})


def test_several_kinds() -> None:
    environ = {"MYSQL_HOST": "my", "POSTGRES_HOST": "pg", "PGUSER": "u"}
    with pytest.raises(ConfigurationError, match="POSTGRES_HOST and MYSQL_HOST are set"):
        found(environ)
    assert str(found(environ, parts=Parts(engine="mysql"))) == "mysql://my/"
    assert str(found(environ, parts=Parts(engine="mariadb"))) == "mysql://my/"
    assert str(found(environ, parts=Parts(engine="postgresql"))) == "postgresql://u@pg/"


def test_variables_of_an_image_that_do_not_say_where() -> None:
    environ = {"PGHOST": "db", "PGUSER": "app", "POSTGRES_PASSWORD": SECRET, "POSTGRES_USER": "su"}
    read = found(environ)
    assert (str(read), read.password) == ("postgresql://app@db/", None)
    with pytest.raises(ConfigurationError, match="PGUSER and POSTGRES_USER contradict"):
        found({**environ, "POSTGRES_HOST": "db"})


def test_variables_that_contradict_each_other() -> None:
    environ = {"MYSQL_HOST": "one", "MARIADB_HOST": "two"}
    with pytest.raises(ConfigurationError, match="MYSQL_HOST and MARIADB_HOST contradict"):
        found(environ)
    assert str(found(environ, parts=Parts(host="three"))) == "mysql://three/"
    assert str(found({"MYSQL_HOST": "one", "MARIADB_HOST": "one"})) == "mysql://one/"
    with pytest.raises(ConfigurationError) as caught:
        found(
            {"MYSQL_HOST": "h", "MYSQL_PASSWORD": SECRET}
            | {"MARIADB_HOST": "h", "MARIADB_PASSWORD": "other"}
        )
    assert SECRET not in caught.value.message + caught.value.hint
    assert "--password-file" in caught.value.hint


@pytest.mark.parametrize("port", ["soon", "0", "99999", "-1", "12345678901234567890"])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(ConfigurationError, match="port"):
        found({"MYSQL_HOST": "db", "MYSQL_TCP_PORT": port})


# -- options ------------------------------------------------------------------------------


def test_options(password: Path) -> None:
    parts = Parts("postgresql", "db", 5433, "app", password, "shop")
    read = found(parts=parts)
    assert str(read) == "postgresql://app@db:5433/shop"
    assert read.password == f" {SECRET} "
    assert str(found(parts=Parts("postgresql", "::1", 5433))) == "postgresql://[::1]:5433/"
    assert str(found(parts=Parts("postgresql", "h:6000"))) == "postgresql://h:6000/"
    assert found(parts=Parts("mysql", "/run/my.sock")).options == {"unix_socket": "/run/my.sock"}
    assert str(found(parts=Parts("sqlite", database="/x.db"))) == "sqlite:////x.db"


def test_options_beat_variables(password: Path) -> None:
    environ = {"PGHOST": "db", "PGUSER": "app", "PGDATABASE": "shop"}
    read = found(environ, parts=Parts(user="admin", password_file=password))
    assert str(read) == "postgresql://admin@db/shop"


@pytest.mark.parametrize(
    ("parts", "part"),
    [
        (Parts(host="db"), "do not say of which kind"),
        (Parts("sqlite", host="db"), "--host has no effect with SQLite"),
        (Parts("sqlite"), "there is no file"),
        (Parts("postgresql", host=" "), "--host is empty"),
    ],
)
def test_options_that_make_no_sense(parts: Parts, part: str) -> None:
    with pytest.raises(UsageError, match=part) as caught:
        found(parts=parts)
    assert caught.value.hint


def test_a_password_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for name, part in [("missing", "cannot read the password"), ("empty", "is empty")]:
        with pytest.raises(ConfigurationError, match=part):
            found(parts=Parts("mysql", "db", password_file=tmp_path / name))


# -- a URL, too ---------------------------------------------------------------------------


def test_a_url_beats_the_variables_with_parts() -> None:
    environ = {"MYSQL_HOST": "my", "MYSQL_PASSWORD": SECRET, "DATABASE_URL": "postgresql://db/x"}
    read = found(environ)
    assert (str(read), read.password) == ("postgresql://db/x", None)
    assert str(found(environ, url="sqlite:///x.db")) == "sqlite:///x.db"


def test_options_complete_a_url(password: Path) -> None:
    read = found(
        {"DATABASE_URL": "postgresql://app@db/shop?sslmode=require"},
        parts=Parts(password_file=password, port=5433),
    )
    assert str(read) == "postgresql://app@db:5433/shop"
    assert (read.password, read.options) == (f" {SECRET} ", {"sslmode": "require"})
    same = Parts("postgresql", "db", 5432, "app", database="shop")
    assert found(url="postgresql://app@db:5432/shop", parts=same).port == 5432


@pytest.mark.parametrize(
    ("parts", "part"),
    [
        (Parts("mysql"), "--engine contradicts the database URL, which has the engine postgresql"),
        (Parts(host="other"), "--host contradicts the database URL, which has the host db"),
        (Parts(port=1), "--port contradicts the database URL, which has the port 5432"),
        (Parts(user="other"), "--user contradicts the database URL, which has the user app"),
        (Parts(database="other"), "--database contradicts"),
    ],
)
def test_options_that_contradict_a_url(parts: Parts, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part) as caught:
        found(url="postgresql://app@db:5432/shop", parts=parts)
    assert caught.value.hint


def test_another_password_than_the_url_has(password: Path) -> None:
    with pytest.raises(ConfigurationError, match="which has a password") as caught:
        found(url="postgresql://app:0ther@db/shop", parts=Parts(password_file=password))
    assert SECRET not in caught.value.message + caught.value.hint
    assert "0ther" not in caught.value.message + caught.value.hint


# -- whatever they are --------------------------------------------------------------------

_NAMES = [
    *("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE"),
    *(f"POSTGRES_{part}" for part in ("HOST", "PORT", "USER", "PASSWORD", "DB")),
    *(f"MYSQL_{part}" for part in ("HOST", "TCP_PORT", "USER", "PASSWORD", "DATABASE")),
]


@given(
    environ=st.dictionaries(
        st.sampled_from(_NAMES), st.text(max_size=8) | st.sampled_from(["h1,h2", "1,2", "/run"])
    ),
    engine=st.sampled_from([None, "postgresql", "mysql", "mariadb", "sqlite"]),
    host=st.none() | st.text(max_size=8) | st.sampled_from(["::1", "h1,h2", "/run", "h:1"]),
    port=st.none() | st.integers(1, 65535),
)
def test_nothing_but_our_errors(
    environ: dict[str, str], engine: str | None, host: str | None, port: int | None
) -> None:
    with suppress(ConfigurationError, UsageError):
        str(found(environ, parts=Parts(engine, host, port)))


_sendable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)


@given(before=_sendable, after=_sendable)
def test_no_password_in_text_or_message(before: str, after: str) -> None:
    password = before + SECRET + after
    read = found({"MYSQL_HOST": "db", "MYSQL_PASSWORD": password})
    assert read.password == password
    assert SECRET not in f"{read}{read!r}"


# -- what no driver can hand over ---------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgres://u{0}:p@h/d", "user"),
        ("postgres://u:s3cr3t{0}@h/d", "password"),
        ("postgres://u:p@/d?host=h{0}", "option host"),
        ("mysql://u:s3cr3t{0}@h/d", "password"),
        ("mysql://u:p@h/d{0}", "name"),
        ("mysql://u:p@h/d?charset={0}", "option charset"),
        ("mysql://u:p@h/d?a{0}=b", "list of options"),
    ],
)
def test_a_part_that_cannot_be_sent(url: str, part: str) -> None:
    for bad, told in (("%00", "holds a NUL"), ("\udcff", "is not UTF-8")):
        with pytest.raises(ConfigurationError, match=f"{part} {told}") as raised:
            found(url=url.format(bad))
        assert not any(text in raised.value.message for text in (SECRET, "\0", "\udcff"))


def test_variables_that_cannot_be_sent() -> None:
    for environ in (
        {"PGHOST": "db", "PGPASSWORD": "\udce9t\udce9"},
        {"MYSQL_HOST": "db", "MYSQL_PASSWORD": "\udce9t\udce9"},
    ):
        with pytest.raises(ConfigurationError, match="password is not UTF-8"):
            found(environ)


def test_a_renewed_password_that_cannot_be_sent(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgres://u:p@h/d")
    renewal = find_database(None, file, Parts(), {}).renewal
    assert renewal is not None
    file.write_text("postgres://u:p%00@h/d")
    with pytest.raises(UnreachableError, match="password holds a NUL"):
        renewal.current(1.0)


def test_a_file_of_sqlite_may_be_called_anything() -> None:
    assert found(url="sqlite:///\udcff.db").database == "\udcff.db"
    with pytest.raises(ConfigurationError, match="name holds a NUL"):
        found(url="sqlite:///a%00b.db")
