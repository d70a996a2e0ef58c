"""Real browsers, in a home folder of the test's own."""

import json
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needed
from tests.e2e.conftest import Agtool, Done, wait_until
from tests.e2e.le_staging.site import PROXIES, Site
from tests.servers import tls
from tests.servers.certificates import Issued, root
from tests.servers.chains import Chains, with_all_kinds
from tests.servers.process import ends_with_us, find_program, server_folder
from tests.servers.screen import Screen

BAD = ("expired", "wrong", "self-signed", "unknown")
DOMAIN = "example.dev"
"""The whole of .dev is on the browsers' HSTS list: no way round a warning there."""

LOCAL = "example.localhost"
"""Browsers find it on loopback by themselves; Firefox takes no other rules."""

# As for people without a network: the tests' names come from the resolver's rules alone.
_NAMES = f"MAP *.{DOMAIN} 127.0.0.1, EXCLUDE *.localhost, MAP * ~NOTFOUND"
QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Home:
    """A person's home folder, with agtool and browsers in it."""

    def __init__(self, folder: Path, agtool: Agtool, screen: Screen) -> None:
        self.folder = folder
        self.bin = folder.parent / "bin"
        self.bin.mkdir()
        self.environment = {
            "HOME": str(folder),
            "XDG_DATA_HOME": "",
            "XDG_CONFIG_HOME": "",
            "XDG_CACHE_HOME": "",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",  # else a bus is started, which stays
            "WAYLAND_DISPLAY": "",
            **screen.environment,
        }
        self._agtool = agtool

    def le_staging(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Done:
        """Run `agtool le-staging ARGUMENTS...` to its end."""
        return self._agtool.run("le-staging", *arguments, env={**self.environment, **(env or {})})

    def json(self, *arguments: str | Path) -> dict[str, Any]:
        """What `agtool le-staging ARGUMENTS... --output json` says."""
        done = self.le_staging(*arguments, "--output", "json")
        document: dict[str, Any] = json.loads(done.stdout)
        assert document["exit_code"] == done.exit_code
        return document

    def program(self, name: str, *lines: str) -> Path:
        """Make a shell script."""
        path = self.bin / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)
        return path

    def chromium(self, *options: str, before: str = ":", name: str = "chromium") -> Path:
        """Make a Chromium that finds the tests' names, with further options."""
        rules = f"--host-resolver-rules={_NAMES}"
        command = [str(find_program("chromium")), rules, "--disable-background-networking"]
        command += ["--disable-component-update", *options]
        return self.program(name, before, f'exec {shlex.join(command)} "$@"')

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Every path below the home, with its mode and content."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path.relative_to(self.folder))] = (path.lstat().st_mode, content)
        return found

    def processes(self) -> list[int]:
        """The live programs that were given something in this home: a HOME, a profile."""
        mine = str(self.folder).encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                # Chromium writes its title over its environment.
                told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
                if mine in told:
                    found.append(int(process.name))
        return found

    def end_browsers(self) -> None:
        """End them as a logout does, then for good; return when they are gone."""
        began = time.monotonic()
        ended: set[int] = set()
        while left := self.processes():
            ended.update(left)
            late = time.monotonic() - began > 8
            assert time.monotonic() - began < 30, left
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.1)
        # A zombie still counts as running for Chromium's own lock; init may take its time.
        wait_until(lambda: not any(Path(f"/proc/{p}").exists() for p in ended), "all are reaped")


@pytest.fixture(scope="session")
def screen() -> Iterator[Screen]:
    """Give the virtual screen that all tests share."""
    with server_folder() as folder, needed(), Screen(folder) as screen:
        yield screen


@pytest.fixture
def home(tmp_path: Path, agtool: Agtool, screen: Screen) -> Iterator[Home]:
    """Give a home; whatever runs there at the end of the test is ended."""
    folder = tmp_path / "home"
    (folder / ".local/share").mkdir(parents=True)
    made = Home(folder, agtool, screen)
    with ends_with_us(tmp_path):
        yield made
        agtool.kill()
        made.end_browsers()


@pytest.fixture(scope="session")
def _chains() -> Iterator[tuple[Chains, Issued]]:
    with server_folder() as folder:
        chains, top = with_all_kinds(folder, DOMAIN, LOCAL)
        with chains:
            yield chains, top


@pytest.fixture
def chains(_chains: tuple[Chains, Issued]) -> Chains:
    """Give a server with good and bad chains."""
    _chains[0].forget()
    return _chains[0]


@pytest.fixture
def staging(home: Home, _chains: tuple[Chains, Issued]) -> Issued:
    """Give the root that counts as staging, fetched into the home."""
    top = _chains[1]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(top.der)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/root"
        done = home.le_staging("fetch", "--url", url, "--fingerprint", top.sha256)
        server.shutdown()
    assert done.exit_code == 0, done.stderr
    return top


def dump(home: Home, argv: Sequence[str], env: Mapping[str, str], url: str) -> tuple[str, str]:
    """Open a URL headless in a Chromium; return the page and what the browser wrote on stderr."""
    run = subprocess.run(
        [*argv, *QUIET, "--dump-dom", url],
        env={**os.environ, **home.environment, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        start_new_session=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, run.stderr


@pytest.fixture
def site(agtool: Agtool, tmp_path: Path) -> Iterator[Site]:
    """Give a site whose root has not been fetched."""
    ca = root("Test Staging Root")
    issuer = ca.intermediate("Test Intermediate")
    leaf = issuer.leaf("shop.test", "xn--bcher-kva.test")
    env = {"XDG_DATA_HOME": str(tmp_path / "data"), **dict.fromkeys(PROXIES, "")}
    with tls.Listener(tls.https(tls.tls_context(tmp_path / "server", leaf))) as server:
        yield Site(ca, issuer, leaf, server, env, agtool)
