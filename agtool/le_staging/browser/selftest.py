"""Whether a browser does what we rely on: a test with a temporary CA on loopback.

A server on 127.0.0.1 shows a different chain for each name. The browser, with a profile that
trusts the temporary roots, opens the good one; its page then fetches all others. A browser that
refuses a chain ends the handshake and never sends a request. So the server sees what the browser
trusts, whatever the browser's messages are.

The names end in `.localhost`, which browsers resolve to loopback by themselves.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.signals import handled
from agtool.le_staging.browser.profile import Anchors, Command, Profile
from agtool.le_staging.browser.start import last_words, launch
from agtool.le_staging.writing import own_folder, writing

PATIENCE = 90.0
"""Seconds for the browser to start and ask for everything."""

_GUARDED = """
exec 3<&0 </dev/null
(
    read -r word <&3; trap '' TERM; kill -TERM 0
    for try in 1 2 3; do sleep 1; rm -rf -- "$0"; done
    kill -KILL 0
) &
exec 3<&- "$@"
"""
"""Starts a browser, and beside it what ends it when the writer of our stdin is gone.

That is agtool, whatever becomes of it, SIGKILL included. Then the folder goes too. All processes
of the browser are in one group, which the guard signals.
"""

BAD = {
    "expired": "an expired certificate",
    "wrong-name": "a certificate for another name",
    "self-signed": "a self-signed certificate",
    "unknown-root": "a chain to an unknown root",
}
"""A name's first label -> what is wrong with its chain."""

_INSIDE, _OUTSIDE, _GOOD = "inside", "outside", "good"


class Visits(NamedTuple):
    """The names for which a handshake began, and those that were asked for after it."""

    tried: frozenset[str]
    served: frozenset[str]


class Behaviour(NamedTuple):
    """What the browser does.

    Attributes:
        trusts: it loads a good chain of a root that the profile trusts.
        accepted: what it should have refused (values of BAD).
        untested: what it did not even try (values of BAD).
        limits: a root that is limited to a domain is trusted there, and only there.
    """

    trusts: bool
    accepted: list[str]
    untested: list[str]
    limits: bool


def behaviour(visits: Visits) -> Behaviour:
    """What follows from what the server saw."""
    return Behaviour(
        trusts=_GOOD in visits.served,
        accepted=[what for name, what in BAD.items() if name in visits.served],
        untested=[what for name, what in BAD.items() if name not in visits.tried],
        limits=_INSIDE in visits.served and _OUTSIDE in visits.tried - visits.served,
    )


def observe(make_profile: Callable[[Path], Profile], parent: Path) -> Visits:
    """Start the browser with a temporary profile in `parent`, and return what it asked for.

    Raises ConfigurationError when the browser cannot be started or ends by itself.
    """
    # A closed terminal and a shutdown clean up as Ctrl-C does: the browser must not stay.
    interrupting = dict.fromkeys((signal.SIGTERM, signal.SIGHUP), signal.default_int_handler)
    with handled(interrupting), _temporary(parent) as folder, ExitStack() as running:
        trusted, limited, leaves = _chains()
        contexts = {name: _context(folder / name, pem) for name, pem in leaves.items()}
        server = running.enter_context(closing(_Server(contexts)))
        profile = make_profile(folder / "profile")
        profile.prepare({trusted: (), **(limited if profile.can_limit else {})})
        command = profile.command([f"https://{_GOOD}.localhost:{server.port}/"], headless=True)
        log = folder / "log"
        browser = running.enter_context(_guarded(command, log, folder))
        give_up = time.monotonic() + PATIENCE
        while not server.done.wait(0.1) and time.monotonic() < give_up:
            if browser.poll() is not None:
                raise ConfigurationError(
                    f"{command.argv[0]} ended with {browser.returncode} in the self-test",
                    hint=last_words(log),
                )
            if server.refused(_GOOD):
                break
        return server.visits()


@contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    """Give a folder for the test, and remove it with all that the browser wrote there."""
    for left in parent.glob("self-test-*"):  # by an agtool that was killed: no other one is here
        shutil.rmtree(left, ignore_errors=True)
    with writing(parent):
        own_folder(parent)
        folder = Path(tempfile.mkdtemp(prefix="self-test-", dir=parent))
    try:
        yield folder
    finally:
        give_up = time.monotonic() + 3
        # Processes that are just being killed may write once more.
        while folder.exists() and time.monotonic() < give_up:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _guarded(command: Command, log: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give the browser that runs; end it and its processes, and not later than we end.

    folder: what goes as well if we are killed.
    """
    argv = ["/bin/sh", "-c", _GUARDED, str(folder), *command.argv]
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb"):
        with os.fdopen(reader, "rb"):
            browser = launch(command._replace(argv=argv), log, stdin=reader)
        try:
            yield browser
        finally:
            _end(browser)


def _end(browser: subprocess.Popen[bytes]) -> None:
    """End the browser and its processes, which share its session."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 10.0)):
        with suppress(ProcessLookupError):
            os.killpg(browser.pid, number)
        with suppress(subprocess.TimeoutExpired):
            browser.wait(patience)
            if number == signal.SIGKILL:
                return


class _Server:
    """Serves a page at every name over TLS, with the chain of that name; one thread each."""

    def __init__(self, contexts: Mapping[str, ssl.SSLContext]) -> None:
        self._contexts = contexts
        self._tried: set[str] = set()
        self._served: set[str] = set()
        self._refused: dict[str, float] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.done = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Wakes the thread, which close() alone would not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def visits(self) -> Visits:
        return Visits(frozenset(self._tried), frozenset(self._served))

    def refused(self, name: str) -> bool:
        """Whether the browser ended a handshake for `name` a while ago and has not come back."""
        since = self._refused.get(name)
        return since is not None and name not in self._served and time.monotonic() - since > 3

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        asked = ""

        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            nonlocal asked
            asked = (name or "").partition(".")[0]
            if asked not in self._contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            tls.context = self._contexts[asked]
            self._tried.add(asked)
            return None

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = choose
        connection.settimeout(PATIENCE)
        try:
            with connection, context.wrap_socket(connection, server_side=True) as tls:
                request = tls.recv(65536)
                if not request:
                    raise ConnectionResetError
                self._served.add(asked)
                others = (
                    f"https://{n}.localhost:{self.port}/" for n in self._contexts if n != _GOOD
                )
                page = (_PAGE % " ".join(others)).encode()
                tls.sendall(_RESPONSE % (len(page), page))
                if request.startswith(b"GET /done"):
                    self.done.set()
        except OSError:  # ssl.SSLError is one too
            self._refused[asked] = time.monotonic()


def _chains() -> tuple[bytes, Anchors, dict[str, bytes]]:
    """A root to trust, one to trust within limits, and the chain (PEM) for each name."""
    from agtool.le_staging.browser.throwaway_ca import Authority, self_signed

    now = datetime.now(timezone.utc)
    month = timedelta(days=30)
    valid, past = (now - month, now + month), (now - month, now - month / 2)
    trusted, limited, unknown = (Authority(f"agtool self test {n}", valid) for n in (1, 2, 3))
    leaves = {
        _GOOD: trusted.chain(f"{_GOOD}.localhost", valid),
        "expired": trusted.chain("expired.localhost", past),
        "wrong-name": trusted.chain("another-name.localhost", valid),
        "self-signed": self_signed("self-signed.localhost", valid),
        "unknown-root": unknown.chain("unknown-root.localhost", valid),
        _INSIDE: limited.chain(f"{_INSIDE}.localhost", valid),
        _OUTSIDE: limited.chain(f"{_OUTSIDE}.localhost", valid),
    }
    return trusted.der, {limited.der: (f"{_INSIDE}.localhost",)}, leaves


def _context(file: Path, pem: bytes) -> ssl.SSLContext:
    """What shows a chain; `file` is where OpenSSL reads it."""
    file.touch(mode=0o600)
    file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)

_PAGE = """<!DOCTYPE html><title>agtool</title><script>
Promise.allSettled("%s".split(" ").map(url => fetch(url, {mode: "no-cors", cache: "no-store"})))
  .then(() => fetch("/done"));
</script>"""
