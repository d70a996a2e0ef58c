"""Pebble, the ACME test server of Let's Encrypt, with a DNS server, and certbot as its client."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.servers.certificates import issue, key_usage, to_pem
from tests.servers.process import ServerFailed, ServerProcess, find_program, free_port


class Pebble:
    """An ACME CA on loopback that validates for real: every name leads to 127.0.0.1.

    Its API has a certificate of `ca_file`; the certificates that it issues have a root of its own,
    which `root_url` serves. valid_seconds: how long they are valid. Raises ServerUnavailable when
    Pebble is not installed.
    """

    def __init__(self, folder: Path, *, valid_seconds: int = 90 * 24 * 3600) -> None:
        self._programs = find_program("pebble"), find_program("pebble-challtestsrv")
        self.process = ServerProcess(folder, account="nobody")
        self._dns = ServerProcess(folder / "dns", account="nobody")
        self._folder = folder
        self._http_port = free_port()
        api, management, self._dns_port = free_port(), free_port(), free_port()
        self.directory_url = f"https://127.0.0.1:{api}/dir"
        self.root_url = f"https://127.0.0.1:{management}/roots/0"
        # Python 3.13, with which certbot may run, wants a key usage.
        ca = issue(None, "Pebble's API", ca=True, key_usage=key_usage(sign_certificates=True))
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_text(to_pem(ca.certificate))
        leaf = ca.leaf("127.0.0.1")
        config = {
            "listenAddress": f"127.0.0.1:{api}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(self.process.write(folder / "api.pem", to_pem(*leaf.chain))),
            "privateKey": str(self.process.write(folder / "api.key", leaf.key_pem)),
            "httpPort": self._http_port,
            "tlsPort": free_port(),
            "certificateValidityPeriod": valid_seconds,
        }
        self._config = self.process.write(folder / "config.json", json.dumps({"pebble": config}))

    def __enter__(self) -> "Pebble":
        server, dns = self._programs
        none = [word for name in ("http01", "https01", "tlsalpn01") for word in (f"-{name}", "")]
        where = f"127.0.0.1:{self._dns_port}"
        argv: list[str | Path] = [dns, "-dns01", where, "-defaultIPv4", "127.0.0.1", *none]
        argv += ["-defaultIPv6", "", "-management", f"127.0.0.1:{free_port()}"]
        self._dns.launch(argv, self._resolve)
        # Its environment is cleared by ServerProcess, so env(1) sets it.
        argv = [find_program("env"), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", server]
        self.process.launch([*argv, "-config", self._config, "-dnsserver", where], self.root_pem)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate([signal.SIGTERM])
        self._dns.terminate([signal.SIGTERM])

    def root_pem(self) -> bytes:
        """The root of the certificates that it issues; another one each time it is started."""
        context = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(self.root_url, context=context, timeout=10) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content

    def issue(self, *names: str) -> Path:
        """Let certbot get a certificate; return the folder with fullchain.pem and privkey.pem.

        Raises ServerFailed with what certbot says.
        """
        folder = self._folder / "certbot"
        argv = [str(Path(sys.executable).with_name("certbot")), "certonly", "--non-interactive"]
        argv += ["--agree-tos", "--register-unsafely-without-email", "--cert-name=test"]
        argv += [f"--{what}-dir={folder / what}" for what in ("config", "work", "logs")]
        argv += ["--standalone", f"--http-01-port={self._http_port}"]
        argv += ["--http-01-address=127.0.0.1", f"--server={self.directory_url}"]
        argv += [f"--domain={name}" for name in names]
        done = subprocess.run(
            argv,
            env={**os.environ, "REQUESTS_CA_BUNDLE": str(self.ca_file)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(
                f"certbot exited with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return folder / "config/live/test"

    def _resolve(self) -> None:
        """Ask its DNS server for anything. Raises OSError while it does not answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            with suppress(TimeoutError):
                probe.connect(("127.0.0.1", self._dns_port))
                # A question of type A for a.test.
                probe.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\1\0\1")
                probe.recv(512)
                return
            raise OSError("no answer")
