"""What becomes of the options of a URL: the table, its page, and what agtool's drivers get."""

import inspect
import re
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import make_dsn
from pymysql.connections import Connection

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.engines.mysql import parameters as mysql
from agtool.migrate_once.engines.postgresql import parameters as postgresql
from agtool.migrate_once.url import parse
from agtool.migrate_once.url.options import Translated, translate
from agtool.migrate_once.url.table import TABLE
from agtool.migrate_once.url.table.connectors import CONNECTORS
from tests.url_options import PAGE, split, tables

LIBPQ = {"sslmode", "sslcert", "sslkey", "sslrootcert", "host", "port", "options", "service"}


def translated(url: str) -> Translated:
    return translate(parse(url), LIBPQ.__contains__)


def values(options: str, scheme: str = "postgresql") -> dict[str, str]:
    return translated(f"{scheme}://u:p@db/shop?{options}").values


def context(options: str, scheme: str = "mysql") -> tuple[ssl.VerifyMode, bool] | None:
    """What is verified on MySQL: certificate and name; None if TLS is not demanded."""
    url = f"{scheme}://db/shop?{options}"
    tls = mysql.parameters(parse(url)).get("ssl")
    return (tls.verify_mode, tls.check_hostname) if isinstance(tls, ssl.SSLContext) else None


# -- the table ----------------------------------------------------------------------------


def test_the_reference_has_the_table() -> None:
    assert split(PAGE.read_text())[1].strip() == tables().strip(), "python -m tests.url_options"


def test_every_row_has_its_source() -> None:
    for row in TABLE:
        assert set(row.connectors.split(", ")) <= CONNECTORS.keys(), row
        assert row.becomes or row.how == "ignored", row
        assert (row.how == "as") == bool(row.target), row
        assert (row.how == "values") == bool(row.values), row
    assert {one for row in TABLE for one in row.connectors.split(", ")} == CONNECTORS.keys()


def test_one_fate_for_one_option() -> None:
    fates: dict[tuple[str, str, str], set[str]] = {}
    for row in TABLE:
        for engine in ("postgresql", "mysql") if row.engine == "any" else (row.engine,):
            for name in row.names.split(", "):
                fates.setdefault((engine, name, row.driver), set()).add(row.how)
    several = {key for key, hows in fates.items() if len(hows - {"ignored", "unused"}) > 1}
    assert not several


def test_every_parameter_of_pymysql_has_a_row() -> None:
    of_the_account = {"user", "password", "host", "database", "port", "passwd", "db"}
    rows = {name for row in TABLE if row.engine == "mysql" for name in row.names.split(", ")}
    assert set(inspect.signature(Connection).parameters) - of_the_account <= rows


def test_what_is_translated_exists_in_the_driver() -> None:
    targets = {row.target for row in TABLE if row.engine == "postgresql"} - {""}
    for row in TABLE:
        if row.engine == "postgresql":
            targets |= {key.rstrip("?") for made in row.values.values() for key in made}
    for target in targets - {"sslaccept", "sslidentity"}:
        make_dsn(**{target: "1"})


# -- whose they are -----------------------------------------------------------------------


def test_options_of_others_are_ignored_and_said() -> None:
    done = translated(
        "postgres://u:p@db/shop?schema=public&pgbouncer=true&pool=5&x-migrations-table=m&odd=1"
        "&sslmode=require"
    )
    assert done.values == {"sslmode": "require"}
    (warning,) = done.warnings
    assert "ignored in the database URL" in warning
    for part in ("schema (Prisma", "pgbouncer (Prisma)", "pool (Rails)", "odd (agtool does not"):
        assert part in warning
    assert "golang-migrate" in warning
    assert "sslmode" not in warning


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:p@db/shop?charset=utf8mb4&autocommit=1",
        "mysql+pymysql://u:p@db/shop?charset=utf8mb4",
        "mysql+aiomysql://u:p@db/shop?minsize=3&pool=5",
        "postgresql+asyncpg://u:p@db/shop?prepared_statement_cache_size=0",
        "postgresql://u:p@db/shop?application_name=x",
        "jdbc:postgresql://db/shop?ApplicationName=x",
    ],
)
def test_not_worth_a_word(url: str) -> None:
    assert translated(url) == Translated({})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg2://u:p@db/shop?schema=public",
        "postgresql+psycopg://u:p@db/shop?pool=5",
        "mysql+pymysql://u:p@db/shop?chraset=utf8",
        "mysql+mysqldb://u:p@db/shop?useSSL=true",
    ],
)
def test_a_mistake_for_the_driver_in_the_url(url: str) -> None:
    with pytest.raises(ConfigurationError, match="unknown option"):
        translated(url)


@pytest.mark.parametrize(
    ("url", "nearest"),
    [
        ("postgresql://db/x?sslmod=require", "sslmode"),
        ("postgresql://db/x?ssl_root_crt=x", "sslrootcert"),
        ("postgresql://db/x?tls=true", ""),
        ("postgresql://db/x?hostadr=1", "hostaddr"),
        ("postgresql://db/x?conect_timeout=1", "connect_timeout"),
        ("postgresql://db/x?target_session_atrs=any", "target_session_attrs"),
        ("postgresql+asyncpg://db/x?ssl_contxt=1", "ssl_context"),
        ("mysql://db/x?ssl_mod=REQUIRED", "ssl_mode"),
        ("mysql://db/x?slmode=REQUIRED", "sslMode"),
        ("mysql://db/x?requreSSL=true", "requireSSL"),
        ("mysql://db/x?verifyServerCert=true", "verifyServerCertificate"),
        ("mysql://db/x?unix_sock=/x", "unix_socket"),
        ("mysql://db/x?tls_mode=1", ""),
        ("jdbc:mysql://db/x?useSLL=true", "useSSL"),
        ("trilogy://db/x?proxy_url=1", ""),
    ],
)
def test_unknown_and_delicate(url: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match="unknown option") as caught:
        translated(url)
    assert f"Did you mean {nearest}" in caught.value.hint if nearest else caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/x?sslfactoryarg=x",
        "postgresql://db/x?socketFactory=x",
        "mysql://db/x?read_default_file=/etc/my.cnf",
        "mysql://db/x?named_pipe=x",
        "mysql://db/x?socksProxyHost=x",
        "mysql+mysqldb://db/x?read_default_file=/etc/my.cnf",
        "jdbc:mysql://db/x?trustCertificateKeyStoreUrl=file:x&trustCertificateKeyStorePassword=p",
        "jdbc:mariadb://db/x?keyStore=x",
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot use the option"):
        translated(url)


# -- TLS ----------------------------------------------------------------------------------

SYSTEM = {"sslmode": "verify-full", "sslrootcert": "system"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("sslmode=VerifyFull", {"sslmode": "verify-full"}),
        ("sslmode=no-verify", {"sslmode": "require"}),
        ("ssl=true", {"sslmode": "require"}),
        ("ssl=verify-full", {"sslmode": "verify-full"}),
        ("ssl=false", {"sslmode": "disable"}),
        ("ssl=true&sslmode=verify-ca", {"sslmode": "verify-ca"}),
        ('ssl={"rejectUnauthorized":true}', SYSTEM),
        ('ssl={"rejectUnauthorized":false}', {"sslmode": "require"}),
        ("ssl={}", SYSTEM),
        ("sslmode=require&sslaccept=strict", SYSTEM),
        (
            "sslaccept=strict&sslcert=ca.pem",
            {"sslmode": "verify-full", "sslrootcert": "ca.pem"},
        ),
        (
            "sslmode=require&sslcert=ca.pem&schema=public",
            {"sslmode": "require", "sslrootcert": "ca.pem"},
        ),
        ("sslmode=require&sslaccept=accept_invalid_certs&sslcert=ca.pem", {"sslmode": "require"}),
        ("sslcert=c.pem&sslkey=k.pem", {"sslcert": "c.pem", "sslkey": "k.pem"}),
        ("sslrootcert=system", SYSTEM),
        (
            "SSL+Mode=Require&Trust+Server+Certificate=true&Root+Certificate=ca.pem",
            {"sslmode": "require", "sslrootcert": "ca.pem"},
        ),
        (
            "ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory",
            {"sslmode": "require"},
        ),
    ],
)
def test_tls_of_postgresql(options: str, expected: dict[str, str]) -> None:
    assert values(options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("ssl=true", SYSTEM),
        ("ssl=true&sslrootcert=ca.pem", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        ("ssl=true&sslmode=require", {"sslmode": "require"}),
        ("ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory", {"sslmode": "require"}),
    ],
)
def test_tls_of_pgjdbc(options: str, expected: dict[str, str]) -> None:
    assert translated(f"jdbc:postgresql://db/shop?{options}").values == expected


def test_less_than_node_would_verify() -> None:
    (warning,) = translated("postgres://db/x?ssl=true").warnings
    assert "does not verify" in warning
    for url in (
        "postgres://db/x?ssl=true&sslmode=verify-full",
        "postgresql+asyncpg://db/x?ssl=true",
        "jdbc:postgresql://db/x?ssl=true",
        "mysql://db/x?ssl=true",
    ):
        assert not translated(url).warnings


NAME, CERTIFICATE, ANY = (
    (ssl.CERT_REQUIRED, True),
    (ssl.CERT_REQUIRED, False),
    (ssl.CERT_NONE, False),
)
BUNDLE = next(
    (p for p in ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem") if Path(p).exists()),
    "",
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('ssl={"rejectUnauthorized":true}', NAME),
        ('ssl={"rejectUnauthorized":true,"verifyIdentity":false}', CERTIFICATE),
        ('ssl={"rejectUnauthorized":false}', ANY),
        ("ssl={}", NAME),
        ("ssl=true", ANY),
        ("ssl=false", None),
        ("sslaccept=strict", NAME),
        ("sslaccept=accept_invalid_certs", ANY),
        ("ssl-mode=VERIFY_IDENTITY", NAME),
        ("sslMode=verify-ca", CERTIFICATE),
        ("ssl_mode=preferred", None),
        ("SslMode=None", None),
        ("useSSL=true", ANY),
        ("useSSL=false", None),
        ("useSSL=true&requireSSL=true&verifyServerCertificate=true", CERTIFICATE),
        ("useSSL=false&sslMode=VERIFY_IDENTITY", NAME),
        ("sslverify=true", NAME),
        ("tls=true", NAME),
        ("tls=skip-verify", ANY),
        ("tls=preferred", None),
        ("tls=false", None),
        ("tls_versions=TLSv1.2,TLSv1.3", ANY),
        ("trustServerCertificate=true", ANY),
    ],
)
def test_tls_of_mysql(options: str, expected: tuple[ssl.VerifyMode, bool] | None) -> None:
    assert context(options) == expected


@pytest.mark.skipif(not BUNDLE, reason="no bundle of the system's certificates")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("sslca={}", NAME),
        ("ssl-ca={}&ssl-mode=VERIFY_CA", CERTIFICATE),
        ("sslcert={}", NAME),
        ("sslcert={}&sslaccept=accept_invalid_certs", ANY),
        ("serverSslCert={}", NAME),
        ("ssl=true&ssl_ca={}", NAME),
        ("tls=custom&x-tls-ca={}", NAME),
        ("tls=custom&x-tls-ca={}&x-tls-insecure-skip-verify=true", ANY),
    ],
)
def test_authorities_of_mysql(options: str, expected: tuple[ssl.VerifyMode, bool]) -> None:
    assert context(options.format(BUNDLE)) == expected


def test_tls_of_mariadb_connector_j() -> None:
    def verified(options: str) -> tuple[ssl.VerifyMode, bool] | None:
        return context(options, "jdbc:mariadb")

    assert verified("useSsl=true") == NAME
    assert verified("useSsl=true&trustServerCertificate=true") == ANY
    assert verified("useSsl=true&disableSslHostnameVerification=true") == CERTIFICATE
    assert verified("useSsl=true&sslMode=trust") == ANY
    assert verified("sslMode=verify-full") == NAME


@pytest.mark.parametrize(
    ("scheme", "options", "part"),
    [
        ("postgresql", "sslmode=maybe", "sslmode=maybe"),
        ("postgresql", "sslmode=disable&sslaccept=strict", "demands TLS"),
        ("postgresql", 'sslmode=require&ssl={"rejectUnauthorized":true}', "contradict"),
        ("postgresql", "sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
        ("postgresql", "ssl=maybe", "ssl=maybe"),
        ("postgresql", 'ssl={"ca":"s3cr3t"}', r"ssl=\{...\}"),
        ("postgresql", "sslfactory=com.example.Own", "cannot use: sslfactory"),
        ("postgresql", "targetServerType=secondary", "cannot use: targetServerType"),
        ("mysql", "ssl=Amazon+RDS", "ssl=Amazon RDS"),
        ("mysql", 'ssl={"key":"s3cr3t"}', r"ssl=\{...\}"),
        ("mysql", "ssl={s3cr3t", r"ssl=\{...\}"),
        ("mysql", 'ssl={"rejectUnauthorized":"s3cr3t"}', r"ssl=\{...\}"),
        ("mysql", "ssl_mode=DISABLED&verifyServerCertificate=true", "demands TLS"),
        ("mysql", "ssl_mode=REQUIRED&sslMode=VERIFY_CA", "contradict"),
        ("mysql", "tls=custom", "tls=custom"),
        ("mysql", "ssl_mode=sometimes", "ssl_mode=sometimes"),
        ("mysql", "ssl_verify_cert=perhaps", "ssl_verify_cert=perhaps"),
        ("mysql", "connect_timeout=soon", "connect_timeout=soon"),
        ("mysql", "connect_timeout=0", "connect_timeout=0"),
        ("mysql", "timeout=5parsecs", "timeout=5parsecs"),
    ],
)
def test_values_that_make_no_sense(scheme: str, options: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part) as caught:
        translated(f"{scheme}://u:p@db/shop?{options}")
    assert "s3cr3t" not in caught.value.message + caught.value.hint
    assert caught.value.hint


def test_verified_and_not_verified() -> None:
    for options in (
        "ssl_mode=VERIFY_CA&ssl_verify_cert=false",
        "ssl_verify_identity=1&ssl_verify_cert=0",
    ):
        with pytest.raises(ConfigurationError, match="both verified and not verified"):
            context(options)


# -- time-outs, sockets, hosts ------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "options", "seconds"),
    [
        ("postgresql", "connect_timeout=3", "3"),
        ("postgresql", "loginTimeout=3", "3"),
        ("postgresql", "connectionTimeoutMillis=3000", "3"),
        ("postgresql+asyncpg", "timeout=3", "3"),
        ("postgresql", "connect_timeout=0", None),
        ("mysql", "connect_timeout=3", "3"),
        ("mysql", "connection_timeout=3", "3"),
        ("mysql", "connectTimeout=3000", "3"),
        ("mysql", "Connect+Timeout=3", "3"),
        ("mysql", "timeout=1m3s", "63"),
        ("mysql", "timeout=10ms", "1"),
        ("mysql", "connectTimeout=0", None),
        ("postgresql", "timeout=5000", "5"),
        ("mysql", "timeout=5000", "5"),
    ],
)
def test_connection_timeouts(scheme: str, options: str, seconds: str | None) -> None:
    assert values(options, scheme).get("connect_timeout") == seconds


@pytest.mark.parametrize(
    "options", ["unix_socket=/x", "socket=/x", "socket=(/x)", "socketPath=/x", "localSocket=/x"]
)
def test_sockets_of_mysql(options: str) -> None:
    assert values(options, "mysql2") == {"unix_socket": "/x"}


def test_hosts_of_postgresql() -> None:
    assert values("unix_sock=/run/.s.PGSQL.5433") == {"host": "/run", "port": "5433"}
    assert values("targetServerType=primary") == {"target_session_attrs": "read-write"}
    assert values("loadBalanceHosts=true") == {"load_balance_hosts": "random"}
    with pytest.raises(ConfigurationError, match="unix_sock"):
        values("unix_sock=/run/mysql.sock")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h1:1,h2/db", ("h1,h2", "1,", "read-write")),
        ("postgresql://u:p@/db?host=h1:1&host=h2:2", ("h1,h2", "1,2", "read-write")),
        ("postgresql://u:p@/db?host=h1:1", ("h1", "1", None)),
        ("postgresql://u:p@[::1]:1,[::2]:2/db", ("::1,::2", "1,2", "read-write")),
        ("postgresql://u:p@%2Frun:1/db?target_session_attrs=any", ("/run", "1", "any")),
        ("host=h1,h2 target_session_attrs=any", ("h1,h2", None, "any")),
    ],
)
def test_what_libpq_gets(url: str, expected: tuple[str | None, ...]) -> None:
    parameters = postgresql.parameters(parse(url), 60)
    assert tuple(parameters.get(k) for k in ("host", "port", "target_session_attrs")) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://db/x?sslmode=verify-full", "system"),
        ('postgresql://db/x?ssl={"rejectUnauthorized":true}', "system"),
        ("postgresql://db/x?sslrootcert=system", "always"),
        ("postgresql://db/x?sslmode=verify-full&sslrootcert=ca.pem", "ca.pem"),
        ("postgresql+psycopg2://db/x?sslmode=verify-full", None),
        ("postgresql+asyncpg://db/x?ssl=verify-full", None),
        ("postgresql://db/x?sslmode=verify-ca", None),
        ("postgresql://db/x?sslmode=require", None),
    ],
)
def test_whose_certificates_libpq_trusts(
    url: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    system = str(bundle) if expected in ("system", "always") else expected
    assert postgresql.parameters(parse(url), 10).get("sslrootcert") == system
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").touch()
    own = None if expected == "system" else system
    assert postgresql.parameters(parse(url), 10).get("sslrootcert") == own


def test_a_long_time_out_is_bounded() -> None:
    for url in ("postgresql://db/x?connect_timeout=600", "postgresql://db/x?connect_timeout=-1"):
        assert postgresql.parameters(parse(url), 30)["connect_timeout"] <= 30


# -- whatever they are --------------------------------------------------------------------

_names = st.sampled_from([name for row in TABLE for name in row.names.split(", ")]) | st.text(
    max_size=12
)
_values = st.sampled_from(
    [*("true", "false", "require", "strict", "VERIFY_CA", "5", "5s", "/x", "{}", "verify-full")]
) | st.text(max_size=12)


@given(
    scheme=st.sampled_from(
        ["postgresql", "mysql", "jdbc:mysql", "jdbc:mariadb", "jdbc:postgresql", "mysql+pymysql"]
    ),
    options=st.dictionaries(_names, _values, max_size=4),
)
def test_nothing_but_our_errors(scheme: str, options: dict[str, str]) -> None:
    with suppress(ConfigurationError):
        done = translated(f"{scheme}://db/shop?{urlencode(options)}")
        assert all(isinstance(value, str) for value in done.values.values())
        assert all(warning.isprintable() for warning in done.warnings)


@given(st.text(max_size=20))
def test_no_value_is_shown_of_what_may_be_a_key(value: str) -> None:
    url = "mysql://db/shop?" + urlencode({"ssl": '{"key": "s3cr3t' + value})
    with pytest.raises(ConfigurationError) as caught:
        translated(url)
    assert "s3cr3t" not in caught.value.message + caught.value.hint


def test_a_plain_url_needs_no_table() -> None:
    code = (
        "import sys; from agtool.migrate_once.url import parse;"
        "from agtool.migrate_once.url.options import translate;"
        "translate(parse('postgresql://app:p%40ss@db.example:5432/shop'), bool);"
        "sys.exit(sum(f'agtool.migrate_once.url.{name}' in sys.modules"
        " for name in ('table', 'values', 'forms', 'parts')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_are_written_alike() -> None:
    for row in TABLE:
        for name in row.names.split(", "):
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_ -]*", name), name


def test_the_most_frequent_options_need_no_table() -> None:
    """And mean what the table says."""
    plain = [
        *(f"sslmode={mode}" for mode in ("disable", "allow", "prefer", "require", "verify-full")),
        *("target_session_attrs=any", "application_name=x", "sslmode=verify-ca"),
    ]
    for option in plain:
        together = translate(parse(f"postgresql://db/x?{option}&pool=5"), lambda _: True)
        alone = translate(parse(f"postgresql://db/x?{option}"), lambda _: True)
        expected = {k: v for k, v in together.values.items() if k != "pool"}
        assert alone.values == expected, option
    code = (
        "import sys; from agtool.migrate_once.url import parse;"
        "from agtool.migrate_once.url.options import translate;"
        "translate(parse('postgresql://db/x?sslmode=require'), bool);"
        "translate(parse('mysql://db/x?charset=utf8mb4'), bool);"
        "sys.exit('agtool.migrate_once.url.table' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
