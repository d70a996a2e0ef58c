"""Real servers that begin in plain text and go on with TLS: one for each protocol."""

import os
import pwd
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.certificates import Issued, to_pem
from tests.servers.mysql import new_mariadb
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import ServerProcess, find_program, free_port

Argv = list[str | Path]


class Files(NamedTuple):
    """Where a server finds its certificate (with chain) and its key."""

    chain: Path
    key: Path


Program = Callable[[ServerProcess, Files, int], Argv]
"""Its command line, from its process, certificate and port."""


def _written(process: ServerProcess, issued: Issued) -> Files:
    return Files(
        process.write(process.folder / "chain.pem", to_pem(*issued.chain)),
        process.write(process.folder / "key.pem", issued.key_pem),
    )


@contextmanager
def running(protocol: str, folder: Path, issued: Issued) -> Iterator[int]:
    """Give the port of a real server of that protocol with this certificate.

    Raises ServerUnavailable when it is not installed.
    """
    if protocol in {"postgres", "mysql"}:
        server = PostgreSQL(folder) if protocol == "postgres" else new_mariadb(folder)
        files = _written(server.process, issued)
        server.settings = {**server.settings, **_database(protocol, files)}
        with server:
            yield server.port
        return
    account, program = _SERVERS[protocol]
    process = ServerProcess(folder, account)
    port = free_port()
    argv = program(process, _written(process, issued), port)

    def ready() -> None:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()

    process.launch(argv, ready)
    try:
        yield port
    finally:
        process.terminate([signal.SIGTERM])


def _database(protocol: str, files: Files) -> dict[str, str]:
    """The settings with which it has TLS."""
    if protocol == "mysql":
        return {"ssl_cert": str(files.chain), "ssl_key": str(files.key)}
    return {"ssl": "on", "ssl_cert_file": str(files.chain), "ssl_key_file": str(files.key)}


def _smtp(_process: ServerProcess, files: Files, port: int) -> Argv:
    argv: Argv = [sys.executable, "-W", "ignore", "-m", "aiosmtpd", "-n"]
    argv += ["-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Sink"]
    return [*argv, "--tlscert", files.chain, "--tlskey", files.key, "--no-requiretls"]


_FTP = """
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer
chain, key, port = sys.argv[1:]
TLS_FTPHandler.certfile, TLS_FTPHandler.keyfile = chain, key
TLS_FTPHandler.authorizer = DummyAuthorizer()
TLS_FTPHandler.authorizer.add_anonymous(".")
FTPServer(("127.0.0.1", int(port)), TLS_FTPHandler).serve_forever()
"""


_LMTP = """
import asyncio, ssl, sys
from aiosmtpd.handlers import Sink
from aiosmtpd.lmtp import LMTP
chain, key, port = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)

async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: LMTP(Sink(), tls_context=context, loop=loop), "127.0.0.1", int(port))
    await server.serve_forever()

asyncio.run(serve())
"""


def _lmtp(_process: ServerProcess, files: Files, port: int) -> Argv:
    return [sys.executable, "-W", "ignore", "-c", _LMTP, files.chain, files.key, str(port)]


def _ftp(_process: ServerProcess, files: Files, port: int) -> Argv:
    return [sys.executable, "-W", "ignore", "-c", _FTP, files.chain, files.key, str(port)]


_DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = /dev/stderr
protocols = {protocol}
listen = 127.0.0.1
default_internal_user = {account}
default_login_user = {account}
ssl = yes
ssl_cert = <{chain}
ssl_key = <{key}
passdb {{
  driver = static
}}
"""

_LOGIN = """
service {protocol}-login {{
  chroot =
  inet_listener {protocol} {{
    port = {port}
  }}
  inet_listener {protocol}s {{
    port = 0
  }}
}}
"""

_ANVIL = """
service anvil {{
  chroot =
}}
"""

_MANAGESIEVE = """
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    port = {port}
  }}
}}
"""


def _dovecot(protocol: str) -> Program:
    def argv(process: ServerProcess, files: Files, port: int) -> Argv:
        account = "dovecot" if os.geteuid() == 0 else _OURSELVES
        login = _MANAGESIEVE if protocol == "sieve" else _LOGIN
        text = (_DOVECOT + login + _ANVIL).format(
            folder=process.folder, protocol=protocol, port=port, account=account, **files._asdict()
        )
        config = process.write(process.folder / "dovecot.conf", text)
        return [find_program("dovecot"), "-F", "-c", config]

    return argv


def _ldap(process: ServerProcess, files: Files, port: int) -> Argv:
    config = process.write(
        process.folder / "slapd.conf",
        f"TLSCertificateFile {files.chain}\nTLSCertificateKeyFile {files.key}\n",
    )
    return [find_program("slapd"), "-d", "0", "-f", config, "-h", f"ldap://127.0.0.1:{port}"]


_PROSODY = """
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ {{ levels = {{ min = "error" }}, to = "console" }} }}
run_as_root = true
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
modules_enabled = {{ "tls", "saslauth" }}
modules_disabled = {{ "s2s" }}
ssl = {{ certificate = "{chain}", key = "{key}" }}
VirtualHost "shop.test"
VirtualHost "other.test"
"""


def _xmpp(process: ServerProcess, files: Files, port: int) -> Argv:
    text = _PROSODY.format(folder=process.folder, port=port, **files._asdict())
    config = process.write(process.folder / "prosody.cfg.lua", text)
    return [find_program("prosody"), "-F", "--config", config]


# Other accounts may not be allowed to enter our virtual environment.
_OURSELVES = pwd.getpwuid(os.geteuid()).pw_name

_SERVERS: dict[str, tuple[str, Program]] = {
    "smtp": (_OURSELVES, _smtp),
    "ftp": (_OURSELVES, _ftp),
    "imap": ("dovecot", _dovecot("imap")),
    "pop3": ("dovecot", _dovecot("pop3")),
    "sieve": ("dovecot", _dovecot("sieve")),
    "ldap": ("openldap", _ldap),
    "lmtp": (_OURSELVES, _lmtp),
    "xmpp": ("prosody", _xmpp),
}
