"""What people have in their Secret, against real servers: it connects, and TLS is verified."""

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.engines.mysql import session as mysql_session
from agtool.migrate_once.engines.postgresql import session as postgresql_session
from agtool.migrate_once.url import parse
from tests.conftest import needed
from tests.servers import certificates
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import new_mariadb
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import free_port, server_folder
from tests.servers.tls import Listener

MARK = f"s3cr3t{os.urandom(4).hex()}"
"""Of this run only, since other tests may run beside it, and the process list is the system's."""

PASSWORD = f"{MARK}@/{MARK}:%&{MARK}?"
ENCODED = quote(PASSWORD, safe="")

ROOT = certificates.root("agtool's tests")
ISSUED = ROOT.leaf("127.0.0.1", key="rsa2048")
"""For the address, and not for localhost."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root that has issued both servers' certificate."""
    file = tmp_path_factory.mktemp("authority") / "root.pem"
    file.write_text(ROOT.pem)
    return file


@pytest.fixture(scope="module")
def postgresql_tls() -> Iterator[PostgreSQL]:
    """Give a PostgreSQL with TLS, whose role `shop` has a password that shows in any text."""
    with server_folder() as folder, needed():
        server = PostgreSQL(folder)
        chain = server.process.write(folder / "chain.pem", certificates.to_pem(*ISSUED.chain))
        key = server.process.write(folder / "key.pem", ISSUED.key_pem)
        server.settings |= {
            "ssl": "on",
            "ssl_cert_file": str(chain),
            "ssl_key_file": str(key),
        }
        with server:
            server.create_role("shop", PASSWORD)
            server.create_database("shop", owner="shop")
            yield server


@pytest.fixture(scope="module")
def mariadb_tls() -> Iterator[MariaDB]:
    """Give a MariaDB with TLS, and the same account."""
    with server_folder() as folder, needed():
        server = new_mariadb(folder)
        chain = server.process.write(folder / "chain.pem", certificates.to_pem(*ISSUED.chain))
        key = server.process.write(folder / "key.pem", ISSUED.key_pem)
        server.settings = {**server.settings, "ssl_cert": str(chain), "ssl_key": str(key)}
        with server:
            server.create_role("shop", PASSWORD)
            server.create_database("shop", owner="shop")
            yield server


def over_tls(url: str) -> bool:
    """Connect as agtool does, and say whether the server sees TLS.

    Raises AgtoolError.
    """
    database = parse(url)
    if database.engine == "postgresql":
        with (
            closing(postgresql_session.connect(database, 20)) as connection,
            connection.cursor() as look,
        ):
            look.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return bool((look.fetchone() or (False,))[0])
    session = mysql_session.connect(database, 20)
    try:
        with session.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            return bool((cursor.fetchone() or ("", ""))[1])
    finally:
        mysql_session.close(session)


def agtool(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    foreign = ("AGTOOL_", "PG", "POSTGRES_", "MYSQL", "MARIADB_", "DATABASE_URL")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return subprocess.run(
        [sys.executable, "-m", "agtool", "migrate-once", *arguments],
        env={**kept, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# -- TLS ----------------------------------------------------------------------------------

POSTGRESQL = {
    # options: what they verify, with the authority as {ca}
    "sslmode=verify-full&sslrootcert={ca}": "name",
    "sslmode=require&sslaccept=strict&sslcert={ca}": "name",
    "sslrootcert=system": "name",
    'ssl={{"rejectUnauthorized":true}}': "name",
    'ssl={{"rejectUnauthorized":true,"verifyIdentity":false}}': "authority",
    'ssl={{"rejectUnauthorized":false}}': "nothing",
    "ssl=true": "nothing",
    "sslmode=no-verify": "nothing",
}

MYSQL = {
    'ssl={{"rejectUnauthorized":true}}': "name",
    'ssl={{"rejectUnauthorized":true,"verifyIdentity":false}}': "authority",
    'ssl={{"rejectUnauthorized":false}}': "nothing",
    "sslaccept=strict": "name",
    "sslcert={ca}": "name",
    "ssl-mode=VERIFY_IDENTITY": "name",
    "sslMode=verify-ca&serverSslCert={ca}": "authority",
    "useSSL=true&requireSSL=true&verifyServerCertificate=true": "authority",
    "useSSL=true": "nothing",
    "tls=true": "name",
    "tls=custom&x-tls-ca={ca}": "name",
    "tls=skip-verify": "nothing",
    "tlsVersions=TLSv1.2": "nothing",
}


def check_tls(url: str, verified: str, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assert what is verified: url has {host}, and {ca} where a file is named."""
    here, elsewhere = (url.replace("HOST", host) for host in ("127.0.0.1", "localhost"))
    stranger = authority.with_name("stranger.pem")
    stranger.write_text(certificates.root("somebody else").pem)
    # What stands for the system's certificates; a file in the URL is the same one.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert over_tls(here.format(ca=authority))
    if verified == "name":
        with pytest.raises(AgtoolError):
            over_tls(elsewhere.format(ca=authority))
    else:
        assert over_tls(elsewhere.format(ca=authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger))
    if verified == "nothing":
        assert over_tls(here.format(ca=stranger))
    else:
        with pytest.raises(DeniedError):
            over_tls(here.format(ca=stranger))


@pytest.mark.parametrize("options", POSTGRESQL)
def test_tls_of_postgresql(
    options: str, postgresql_tls: PostgreSQL, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(authority.parent))  # no ~/.postgresql of a person's
    url = f"postgresql://shop:{ENCODED}@HOST:{postgresql_tls.port}/shop?{options}"
    check_tls(url, POSTGRESQL[options], authority, monkeypatch)


@pytest.mark.parametrize("options", MYSQL)
def test_tls_of_mysql(
    options: str, mariadb_tls: MariaDB, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"mysql://shop:{ENCODED}@HOST:{mariadb_tls.port}/shop?{options}"
    check_tls(url, MYSQL[options], authority, monkeypatch)


def test_tls_that_is_not_there(mariadb: MariaDB) -> None:
    """Nobody falls back to no TLS at all."""
    url = mariadb.url("app", user="app").replace("+pymysql", "")
    if not over_tls(url):
        for options in ('ssl={"rejectUnauthorized":true}', "useSSL=true", "tls=skip-verify"):
            with pytest.raises(DeniedError):
                over_tls(f"{url}?{options}")


# -- forms --------------------------------------------------------------------------------

FORMS = {
    "keywords": "host=127.0.0.1 port={pg} user=shop dbname=shop password='{word}'",
    "pgjdbc": "jdbc:postgresql://127.0.0.1:{pg}/shop?user=shop&password={encoded}&ssl=true"
    "&sslfactory=org.postgresql.ssl.NonValidatingFactory&ApplicationName=x&currentSchema=y",
    "several hosts": "postgresql://shop:{encoded}@127.0.0.1:{closed},127.0.0.1:{pg}/shop",
    "pgx5": "pgx5://shop:{encoded}@127.0.0.1:{pg}/shop?x-migrations-table=m&sslmode=require",
    "Prisma": "postgres://shop:{encoded}@127.0.0.1:{pg}/shop?schema=public&connection_limit=5",
    "Go": "shop:{word}@tcp(127.0.0.1:{my})/shop?parseTime=true&tls=skip-verify",
    "golang-migrate": "mysql://shop:{encoded}@tcp(127.0.0.1:{my})/shop?multiStatements=true",
    "Connector/J": "jdbc:mysql://127.0.0.1:{my}/shop?user=shop&password={encoded}&useSSL=true",
    "Rails": "mysql2://shop:{encoded}@127.0.0.1:{my}/shop?pool=5&encoding=utf8mb4",
}

IGNORED = {"pgjdbc": "currentSchema", "pgx5": "x-migrations-table", "Prisma": "schema"}
IGNORED |= {"Go": "parseTime", "golang-migrate": "multiStatements", "Rails": "pool"}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, postgresql_tls: PostgreSQL, mariadb_tls: MariaDB) -> None:
    """The command runs, the password stands nowhere, and what is ignored is said once."""
    url = FORMS[form].format(
        pg=postgresql_tls.port,
        my=mariadb_tls.port,
        word=PASSWORD,
        encoded=ENCODED,
        closed=free_port(),
    )
    look = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; echo looked"
    done = agtool("--database-url", url, "--", "sh", "-c", look, env={})
    assert done.returncode == 0, done.stderr
    assert "looked" in done.stdout
    assert f"agtool migrate-once --database-url {parse(url)}" in done.stdout
    assert MARK not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if "ignored in the database URL" in line]
    assert [IGNORED[form] in line for line in lines] == [True] * (form in IGNORED)


def test_parts(postgresql_tls: PostgreSQL, mariadb_tls: MariaDB, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    pg, my = str(postgresql_tls.port), str(mariadb_tls.port)
    libpq = {"PGHOST": "127.0.0.1", "PGPORT": pg, "PGUSER": "shop", "PGDATABASE": "shop"}
    image = {"MYSQL_HOST": "127.0.0.1", "MYSQL_TCP_PORT": my, "MYSQL_USER": "shop"}
    options = ("--host", "127.0.0.1", "--user", "shop", "--database", "shop")
    for arguments, env in [
        ((), {**libpq, "PGPASSWORD": PASSWORD}),
        ((), {**image, "MYSQL_DATABASE": "shop", "MYSQL_PASSWORD_FILE": str(file)}),
        ((*options, "--engine", "mariadb", "--port", my, "--password-file", str(file)), {}),
        (
            ("--password-file", str(file)),
            {"DATABASE_URL": f"postgresql://shop@127.0.0.1:{pg}/shop"},
        ),
    ]:
        done = agtool(*arguments, "--status", "--output", "json", env=env)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "ok"
        assert MARK not in done.stdout + done.stderr
    wrong = agtool("--host", "other", "--", "true", env={"DATABASE_URL": "postgresql://shop@db/x"})
    assert wrong.returncode == 125
    assert "--host contradicts the database URL, which has the host db" in wrong.stderr


# -- servers without the locks ------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "value", "product"),
    [
        ("crdb_version", "CockroachDB CCL v24.1", "CockroachDB"),
        ("server_version", "11.2-YB-2.20.1.3-b0", "YugabyteDB"),
        ("padb_version", "1.0.63269", "Amazon Redshift"),
    ],
)
def test_a_server_that_only_speaks_the_protocol(parameter: str, value: str, product: str) -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", len(body) + 4) + body

    def speak(connection: socket.socket) -> None:
        first = connection.recv(8)
        while first[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # TLS, GSS
            connection.sendall(b"N")
            first = connection.recv(8)
        connection.recv(struct.unpack("!I", first[:4])[0] - 8)
        words = {"server_version": "13.0.0", "client_encoding": "UTF8", parameter: value}
        words |= {"standard_conforming_strings": "on", "DateStyle": "ISO"}
        connection.sendall(message(b"R", struct.pack("!I", 0)))
        for name, text in words.items():
            connection.sendall(message(b"S", f"{name}\0{text}\0".encode()))
        connection.sendall(message(b"Z", b"I"))
        with suppress(OSError):
            connection.recv(100)

    with (
        Listener(speak) as listener,
        pytest.raises(ConfigurationError, match=f"the database is {product}"),
    ):
        over_tls(f"postgresql://root@127.0.0.1:{listener.port}/defaultdb")
