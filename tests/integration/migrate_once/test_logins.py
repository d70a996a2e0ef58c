"""Who is let in, and what a refusal means: in any language, with files as pods have them."""

import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg2
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.engines import client_files
from agtool.migrate_once.engines.mysql import session as mysql_session
from agtool.migrate_once.engines.postgresql import session as postgresql_session
from agtool.migrate_once.url import Database, parse
from tests.conftest import needed
from tests.servers import certificates
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import new_mariadb
from tests.servers.postgresql import HBA, PostgreSQL
from tests.servers.process import ServerUnavailable, find_program, server_folder
from tests.servers.tls import Listener

LANGUAGES = ("de_DE", "fr_FR", "ja_JP")

ENGLISH = "password authentication failed"

ROOT = certificates.root("agtool's tests")


def log_in(url: str | Database) -> None:
    """Connect as agtool does. Raises AgtoolError."""
    database = parse(url) if isinstance(url, str) else url
    if database.engine == "postgresql":
        postgresql_session.connect(database, 20).close()
    else:
        mysql_session.close(mysql_session.connect(database, 20, 20))


def failure(url: str) -> AgtoolError:
    with pytest.raises(AgtoolError) as caught:
        log_in(url)
    assert "secret" not in caught.value.message
    return caught.value


def refusal_of_writing(url: str) -> AgtoolError:
    """What agtool says where a transaction that is to write is refused."""
    database = parse(url)
    with (
        closing(postgresql_session.connect(database, 20)) as connection,
        pytest.raises(psycopg2.Error) as caught,
        postgresql_session.transaction(connection, "a test"),
    ):
        pass
    return postgresql_session.refused(database, caught.value)


# -- languages ----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=LANGUAGES)
def foreign(request: pytest.FixtureRequest) -> Iterator[PostgreSQL]:
    """Give a PostgreSQL that speaks another language than English."""
    language = request.param
    with server_folder() as folder, needed():
        locales = folder / "locales"
        locales.mkdir()
        locales.chmod(0o755)  # the server runs as another user
        argv = [find_program("localedef"), "--no-archive", "-i", language, "-f", "UTF-8"]
        made = subprocess.run(
            [*argv, locales / f"{language}.UTF-8"], capture_output=True, check=False, umask=0o022
        )
        if not (locales / f"{language}.UTF-8" / "LC_MESSAGES").exists():
            raise ServerUnavailable(f"localedef cannot make {language}: {made.stderr.decode()}")
        server = PostgreSQL(folder, settings={"lc_messages": f"{language}.UTF-8"})
        server.environment = {"LOCPATH": str(locales)}
        with server:
            server.create_role("shop", "secret of shop")
            server.create_database("shop", owner="shop")
            try:
                psycopg2.connect(server.url("shop", user="shop", password="wrong"))
            except psycopg2.OperationalError as error:
                if ENGLISH in str(error):
                    raise ServerUnavailable(f"this PostgreSQL does not speak {language}") from None
            yield server


def test_refusals_in_any_language(foreign: PostgreSQL) -> None:
    shop = foreign.url("shop", user="shop")
    wrong = failure(foreign.url("shop", user="shop", password="not the secret"))
    assert isinstance(wrong, DeniedError)
    assert ENGLISH not in wrong.message
    assert "Check the user and the password" in wrong.hint

    assert isinstance(failure(foreign.url("nowhere", user="shop")), NotYet)
    assert "Create the database" in failure(foreign.url("nowhere", user="shop")).hint

    foreign.execute("ALTER ROLE shop NOLOGIN")
    assert isinstance(failure(shop), DeniedError)
    foreign.execute("ALTER ROLE shop LOGIN CONNECTION LIMIT 0")
    assert isinstance(failure(shop), NotYet)
    foreign.execute("ALTER ROLE shop CONNECTION LIMIT -1")
    foreign.execute("REVOKE CONNECT ON DATABASE shop FROM PUBLIC, shop")
    assert isinstance(failure(shop), DeniedError)
    foreign.execute("GRANT CONNECT ON DATABASE shop TO shop")

    for options in ("-c no_such_setting=1", "-c work_mem=much"):
        refused = failure(f"{shop}?options={options.replace(' ', '%20')}")
        assert isinstance(refused, ConfigurationError)
        assert "refuses an option" in refused.message
    log_in(shop)


def test_a_standby_in_any_language(foreign: PostgreSQL) -> None:
    standby = foreign.standby()
    try:
        error = refusal_of_writing(standby.url("shop", user="shop"))
        assert isinstance(error, NotYet)
        assert "is a standby" in error.message
    finally:
        standby.stop("immediate")


def test_mariadb_in_another_language(folder: Path) -> None:
    with needed(), new_mariadb(folder, settings={"lc_messages": "de_DE"}) as server:
        if not server.is_mariadb:
            pytest.skip("MySQL's messages are not installed")
        wrong = failure(server.url(password="not the secret"))
        assert isinstance(wrong, DeniedError)
        assert "Passwort" in wrong.message
        assert isinstance(failure(server.url("nowhere")), NotYet)
        server.execute("ALTER USER app@'%%' WITH MAX_USER_CONNECTIONS 1")
        with closing(server.connect()):
            database = parse(server.url())
            first = mysql_session.connect(database, 20, 20)
            assert isinstance(failure(server.url()), NotYet)
            mysql_session.close(first)


def test_no_password_where_one_is_wanted(postgresql: PostgreSQL) -> None:
    error = failure(f"postgresql://app@127.0.0.1:{postgresql.port}/app")
    assert isinstance(error, DeniedError)
    assert "holds no password" in error.hint


# -- files, with the modes that Kubernetes mounts -----------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the certificate of a client called `certified`, in several forms."""
    folder = tmp_path_factory.mktemp("client")
    issued = certificates.issue(
        ROOT, "certified", key="rsa2048", purpose=ExtendedKeyUsageOID.CLIENT_AUTH
    )
    (folder / "tls.crt").write_text(issued.pem)
    (folder / "ca.crt").write_text(ROOT.pem)
    for mode in ("0600", "0640", "0440", "0644", "0444"):
        (folder / f"key-{mode}").write_text(issued.key_pem)
        (folder / f"key-{mode}").chmod(int(mode, 8))
    for suffix in ("p12", "pfx"):
        (folder / f"client.{suffix}").write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"client",
                issued.key,
                issued.certificate,
                [ROOT.certificate],
                BestAvailableEncryption(b"of the file"),
            )
        )
    return folder


@pytest.fixture(scope="module")
def by_certificate() -> Iterator[PostgreSQL]:
    """Give a PostgreSQL that lets `certified` in by its certificate alone."""
    server_certificate = ROOT.leaf("127.0.0.1", key="rsa2048")
    with server_folder() as folder, needed():
        server = PostgreSQL(folder)
        server.hba = f"hostssl all certified 0.0.0.0/0 cert\n{HBA}"
        write = server.process.write
        server.settings |= {
            "ssl": "on",
            "ssl_cert_file": str(write(folder / "server.pem", server_certificate.pem)),
            "ssl_key_file": str(write(folder / "server.key", server_certificate.key_pem)),
            "ssl_ca_file": str(write(folder / "ca.pem", ROOT.pem)),
        }
        with server:
            server.create_role("certified", "unused")
            yield server


@pytest.fixture(scope="module")
def mariadb_by_certificate() -> Iterator[MariaDB]:
    """Give a MariaDB that wants a certificate of `certified`."""
    server_certificate = ROOT.leaf("127.0.0.1", key="rsa2048")
    with server_folder() as folder, needed():
        server = new_mariadb(folder)
        write = server.process.write
        server.settings = {
            **server.settings,
            "ssl_cert": str(write(folder / "server.pem", server_certificate.pem)),
            "ssl_key": str(write(folder / "server.key", server_certificate.key_pem)),
            "ssl_ca": str(write(folder / "ca.pem", ROOT.pem)),
        }
        with server:
            server.create_role("certified", "secret of certified", "REQUIRE X509")
            server.create_database("certified", owner="certified")
            yield server


FORMS = {
    **{f"key of {mode}": f"sslcert={{folder}}/tls.crt&sslkey={{folder}}/key-{mode}"
       for mode in ("0600", "0640", "0440", "0644", "0444")},
    "PKCS#12": "sslidentity={folder}/client.p12&sslpassword=of%20the%20file",
    "PKCS#12 as pgjdbc has it": "sslkey={folder}/client.p12&sslpassword=of%20the%20file",
    "PKCS#12 as Npgsql has it": "SSL%20Certificate={folder}/client.pfx"
    "&SSL%20Password=of%20the%20file",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_certificate_of_a_client(form: str, by_certificate: PostgreSQL, client: Path) -> None:
    url = f"postgresql://certified@127.0.0.1:{by_certificate.port}/app?sslmode=verify-full"
    before = set(Path("/proc/self/fd").iterdir())
    log_in(f"{url}&sslrootcert={client}/ca.crt&{FORMS[form].format(folder=client)}")
    assert set(Path("/proc/self/fd").iterdir()) <= before  # no copy of the key is left


@pytest.mark.parametrize("form", [form for form in FORMS if "as" not in form.split()])
def test_certificate_of_a_client_on_mysql(
    form: str, mariadb_by_certificate: MariaDB, client: Path
) -> None:
    options = FORMS[form].format(folder=client)
    url = mariadb_by_certificate.url("certified", user="certified").replace("+pymysql", "")
    log_in(f"{url}?ssl_ca={client}/ca.crt&{options}")
    assert isinstance(failure(f"{url}?ssl_ca={client}/ca.crt"), DeniedError)


def test_a_key_and_certificate_in_one_file_on_mysql(
    mariadb_by_certificate: MariaDB, client: Path, tmp_path: Path
) -> None:
    """As mysql(1), which looks for the certificate beside a key that comes alone."""
    both = tmp_path / "both.pem"
    both.write_text((client / "tls.crt").read_text() + (client / "key-0600").read_text())
    url = mariadb_by_certificate.url("certified", user="certified").replace("+pymysql", "")
    log_in(f"{url}?ssl_ca={client}/ca.crt&ssl_key={both}")
    error = failure(f"{url}?ssl_ca={client}/ca.crt&ssl_key={client}/key-0600")
    assert isinstance(error, ConfigurationError)
    assert "ssl_cert" in error.hint


def test_a_password_file_with_the_mode_of_a_secret(
    postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq alone would leave it out, since others may read it."""
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:app:{postgresql.passwords['app']}\n")
    file.chmod(0o644)
    url = f"postgresql://app@127.0.0.1:{postgresql.port}/app"
    log_in(f"{url}?passfile={file}")
    monkeypatch.setenv("PGPASSFILE", str(file))
    log_in(url)
    file.write_text("*:*:*:app:another secret\n")
    error = failure(url)
    assert isinstance(error, NotYet)  # the file may get another one
    assert "password file" in error.hint


def test_a_service_file(
    postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text(
        f"[shop]\nhost=127.0.0.1\nport={postgresql.port}\nuser=app\n"
        f"password={postgresql.passwords['app']}\ndbname=app\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    log_in("postgresql:///?service=shop")
    error = failure("postgresql:///?service=other")
    assert isinstance(error, DeniedError)
    assert "PGSERVICEFILE" in error.hint


@pytest.mark.parametrize(
    ("url", "option"),
    [
        ("postgresql://u@127.0.0.1:1/db?sslrootcert={}", "sslrootcert"),
        ("postgresql://u@127.0.0.1:1/db?sslcert={}&sslkey=/x", "sslcert"),
        ("postgresql://u@127.0.0.1:1/db?sslkey={}", "sslkey"),
        ("postgresql://u@127.0.0.1:1/db?sslcrl={}", "sslcrl"),
        ("postgresql://u@127.0.0.1:1/db?passfile={}", "passfile"),
        ("postgresql://u@127.0.0.1:1/db?sslidentity={}", "sslidentity"),
        ("mysql://u@127.0.0.1:1/db?ssl_ca={}", "ssl_ca"),
        ("mysql://u@127.0.0.1:1/db?ssl_cert={}&ssl_key=/x", "ssl_cert"),
        ("mysql://u@127.0.0.1:1/db?ssl_cert=/etc/passwd&ssl_key={}", "ssl_key"),
        ("mysql://u@127.0.0.1:1/db?sslidentity={}", "sslidentity"),
    ],
)
def test_files_are_looked_at_before_connecting(url: str, option: str, tmp_path: Path) -> None:
    """No server is there to be asked: it would be waited for."""
    for file, reason in ((tmp_path / "missing", "No such file"), (tmp_path, "is a folder")):
        with pytest.raises(ConfigurationError, match=reason) as caught:
            log_in(url.format(file))
        assert f"{option}={file}" in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("keepalives=abc", "keepalives"),
        ("keepalives_idle=abc", "keepalives_idle"),
        ("tcp_user_timeout=abc", "tcp_user_timeout"),
        ("hostaddr=abc", "hostaddr"),
        ("hostaddr=127.0.0.1,127.0.0.2", "hostaddr"),
        ("host=/{long}", "socket path"),
        ("port=0", "port"),
        ("port=1,2", "port"),
        ("target_session_attrs=abc", "target_session_attrs"),
        ("gssencmode=abc", "gssencmode"),
        ("channel_binding=abc", "channel_binding"),
        ("require_auth=md5,md5", "require_auth"),
        ("ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2", "ssl_min_protocol"),
    ],
)
def test_options_that_libpq_cannot_use(query: str, named: str) -> None:
    """No waiting cures them."""
    place = "" if query.startswith("host=") else "127.0.0.1" + ":1" * ("port=" not in query)
    with pytest.raises(ConfigurationError, match="an option that libpq cannot use") as caught:
        log_in(f"postgresql://u:p@{place}/db?{query.format(long='a' * 200)}")
    assert named in caught.value.message
    assert caught.value.hint


def test_variables_that_libpq_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "0")
    with pytest.raises(ConfigurationError, match="invalid port number") as caught:
        log_in("postgresql://u:p@127.0.0.1/db")
    assert "PGPORT" in caught.value.hint


def test_a_socket_of_mysql_with_too_long_a_path() -> None:
    with pytest.raises(ConfigurationError, match="too long") as caught:
        log_in(f"mysql://u:p@/db?unix_socket=/{'a' * 200}")
    assert "unix_socket" in caught.value.hint


@pytest.mark.parametrize("variable", ["PGSSLROOTCERT", "PGSSLKEY", "PGPASSFILE"])
def test_files_of_variables(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match="No such file"):
        log_in("postgresql://u@127.0.0.1:1/db")


def test_no_copy_of_what_only_its_owner_may_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("key")
    with ExitStack() as until:
        key.chmod(0o600)
        assert client_files.for_owner_alone(str(key), until) == str(key)
        key.chmod(0o440)
        copy = client_files.for_owner_alone(str(key), until)
        assert Path(copy).read_text() == "key"
        assert Path(copy).stat().st_mode & 0o777 == 0o600
    assert not Path(copy).exists()


# -- servers that speak MySQL's protocol --------------------------------------------------


@pytest.mark.parametrize(
    ("version", "product"),
    [("5.7.25-TiDB-v6.5.0", "TiDB"), ("8.0.30-Vitess", "Vitess"), ("5.7.25-OceanBase-v4", "Ocean")],
)
def test_a_server_with_another_get_lock(version: str, product: str, folder: Path) -> None:
    """A MariaDB that is told to call itself so."""
    with needed():
        server = new_mariadb(folder)
        if not server.is_mariadb:
            pytest.skip("only MariaDB can be given another name")
        server.settings = {**server.settings, "version": version}
        with server:
            error = failure(server.url())
    assert isinstance(error, ConfigurationError)
    assert f"the database is {product}" in error.message
    assert "locks of MySQL" in error.message


def packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def text(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def test_a_server_that_says_so_in_its_comment() -> None:
    """A stand-in for SingleStore, which calls itself 5.7: it does not know what agtool sets."""
    column = b"".join(text(part) for part in (b"def", b"", b"", b"", b"c", b""))
    column += b"\x0c" + struct.pack("<HIBHB", 45, 1024, 253, 0, 0) + b"\0\0"
    greeting = (
        b"\x0a5.7.32\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", 0xF7FF)
        + b"\x2d" + struct.pack("<HH", 2, 0x8 | 0x20) + b"\x15" + b"\0" * 10
        + b"123456789012\0mysql_native_password\0"
    )  # fmt: skip
    okay, end = b"\0\0\0\2\0\0\0", b"\xfe\0\0\2\0"

    def speak(connection: socket.socket) -> None:
        stream = connection.makefile("rwb")
        stream.write(packet(0, greeting))
        stream.flush()
        number = 2
        while head := stream.read(4):
            body = stream.read(int.from_bytes(head[:3], "little"))
            if b"version_comment" in body:
                rows = (b"\1", column, end, text(b"SingleStoreDB source distribution"), end)
                stream.write(b"".join(packet(i + 1, row) for i, row in enumerate(rows)))
            elif b"wait_timeout" in body:
                stream.write(packet(1, b"\xff\xa9\x04#HY000Unknown system variable"))
            else:
                stream.write(packet(number, okay))
            number = 1
            stream.flush()

    with Listener(speak) as listener:
        error = failure(f"mysql://app:secret@127.0.0.1:{listener.port}/app")
    assert isinstance(error, ConfigurationError)
    assert "the database is SingleStore" in error.message
