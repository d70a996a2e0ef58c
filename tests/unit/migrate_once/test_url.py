"""Reading database URLs: as SQLAlchemy does, without SQLAlchemy where that is possible."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL, make_url

from agtool.core.errors import ConfigurationError, UsageError
from agtool.migrate_once.url import find_url, parse

_text = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1, max_size=12)
_host = st.from_regex(
    r"[A-Za-z0-9]([A-Za-z0-9.-]{0,10}[A-Za-z0-9])?", fullmatch=True
) | st.sampled_from(["::1", "fe80::1%eth0", "10.0.0.7"])


@given(
    driver=st.sampled_from(["postgresql", "postgresql+asyncpg", "mysql+pymysql", "mariadb"]),
    user=_text,
    password=_text,
    host=_host,
    port=st.none() | st.integers(1, 65535),
    # An @ may be the end of a password that has one, and is refused: see below.
    database=_text.filter(lambda text: text.strip("/") == text and "@" not in text),
    query=st.dictionaries(st.sampled_from(["sslmode", "charset", "x"]), _text, max_size=2),
)
def test_what_sqlalchemy_writes_is_read_alike(  # noqa: PLR0917  # hypothesis gives them by name
    driver: str,
    user: str,
    password: str,
    host: str,
    port: int | None,
    database: str,
    query: dict[str, str],
) -> None:
    text = URL.create(driver, user, password, host, port, database, query).render_as_string(
        hide_password=False
    )
    _assert_same(text)


@given(st.from_regex(r"postgresql://[a-z:@/%2F?=&.~!$*+-]{0,25}", fullmatch=True))
def test_whatever_parses_parses_as_with_sqlalchemy(text: str) -> None:
    try:
        made = make_url(text)
    except Exception:  # noqa: BLE001  # SQLAlchemy raises several kinds
        return
    if "@" in f"{made.host}{made.database}":
        # A password with an @ of its own, perhaps: its tail must not be shown as the host.
        with pytest.raises(ConfigurationError):
            parse(text)
        return
    _assert_same(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://app:p/w#d?x@db/app",
        "postgresql://app:p%40ss%2Fw@db:6432/app?sslmode=require",
        "postgresql://app@/app?host=/var/run/postgresql",
        "postgresql://app@/app?host=a:1&host=b:2",
        "postgresql://[::1]:5432/app",
        "sqlite:///relative.db",
        "sqlite:////absolute/path.db",
        "sqlite:///file:x?mode=ro&uri=true",
        "mysql+pymysql://app:x@db/app?charset=utf8mb4",
    ],
)
def test_forms_that_people_use(text: str) -> None:
    _assert_same(text)


def _assert_same(text: str) -> None:
    ours, theirs = parse(text), make_url(text)
    assert (ours.user, ours.password) == (theirs.username, theirs.password)
    assert (ours.host or None, ours.port) == (theirs.host or None, theirs.port)
    assert ours.database == (theirs.database or None)
    assert ours.query == {
        key: (value,) if isinstance(value, str) else tuple(value)
        for key, value in theirs.query.items()
    }


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("postgres://db/x", "postgresql"),
        ("postgresql+psycopg://db/x", "postgresql"),
        ("mariadb+pymysql://db/x", "mysql"),
        ("sqlite://", "sqlite"),
    ],
)
def test_engines(text: str, engine: str) -> None:
    assert parse(text).engine == engine


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("oracle://u:s3cret@db/x", "unknown dialect 'oracle'"),
        ("u:s3cret@db", "is not valid"),
        ("postgresql://u:s3cret@db:port/x", "is not valid"),
        ("postgresql://u:s3cret@db:99999/x", "is not valid"),
        ("postgresql://u:s3cret@db:0/x", "is not valid"),
        ("mysql://u:s3cret@db:0/x", "is not valid"),
        ("postgresql://u:s3cret@db/x\ty", "is not valid"),
        ("", "is not valid"),
    ],
)
def test_a_bad_url_is_refused_without_showing_its_password(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part) as caught:
        parse(text)
    assert "s3cret" not in str(caught.value) + caught.value.hint
    assert caught.value.__cause__ is None


def test_the_password_is_in_no_text_form() -> None:
    database = parse("postgresql://app:s3cret@db:5432/shop")
    assert str(database) == "postgresql://app@db:5432/shop"
    assert "s3cret" not in repr(database)
    assert "s3cret" not in f"{database!s}{database!r}"
    assert database.redact("bad password s3cret") == "bad password ***"


def test_a_plain_url_is_read_without_sqlalchemy() -> None:
    code = (
        "import sys; from agtool.migrate_once.url import parse;"
        "parse('postgresql://app:p%40ss@db.example:5432/shop?sslmode=require');"
        "sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestFindUrl:
    def test_order(self, tmp_path: Path) -> None:
        file = tmp_path / "url"
        file.write_text("from-file\n")
        environ = {"DATABASE_URL": "second", "SQLALCHEMY_DATABASE_URI": "third"}
        assert find_url("flag", None, environ) == "flag"
        assert find_url(None, file, environ) == "from-file"
        assert find_url(None, None, {**environ, "AGTOOL_DATABASE_URL": "first"}) == "first"
        assert find_url(None, None, environ) == "second"
        assert find_url(None, None, {"SQLALCHEMY_DATABASE_URI": "third"}) == "third"
        assert find_url(None, None, {**environ, "AGTOOL_DATABASE_URL": ""}) == "second"

    def test_the_end_of_a_line_is_no_part_of_it(self) -> None:
        assert find_url(None, None, {"DATABASE_URL": "postgresql://db/x\n"}) == "postgresql://db/x"

    def test_both_flag_and_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="together"):
            find_url("flag", tmp_path / "url", {})

    def test_nothing(self) -> None:
        with pytest.raises(ConfigurationError, match="no database URL"):
            find_url(None, None, {})

    def test_a_file_that_cannot_be_used(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text(" \n")
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        for name, part in [("missing", "No such file"), ("empty", "is empty"), ("binary", "UTF-8")]:
            with pytest.raises(ConfigurationError, match=part):
                find_url(None, tmp_path / name, {})
