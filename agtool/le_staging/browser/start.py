"""Start a browser so that it outlives us and our terminal."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from agtool.core.errors import ConfigurationError
from agtool.core.output import say
from agtool.le_staging.browser.profile import Command, Profile

PATIENCE = 30.0
"""Seconds in which the browser should have taken its profile."""

_ANSWER = 15.0
"""Seconds in which a browser that runs should have taken addresses."""


def last_words(log: Path) -> str:
    """The last lines that a browser wrote, for a hint."""
    # Chromium complains of a missing D-Bus again and again, and can do without it.
    return "\n".join([line[:300] for line in _said(log) if ":dbus/" not in line][-3:])


def _said(log: Path) -> list[str]:
    try:
        return log.read_text(errors="replace").splitlines()
    except OSError:
        return []


def launch(command: Command, log: Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start the command in a session of its own, its output in `log`.

    A session without a terminal gets no SIGHUP when the terminal closes.
    Raises ConfigurationError when it cannot be run.
    """
    try:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
            return subprocess.Popen(
                command.argv,
                env={**os.environ, **command.environment},
                cwd="/",  # nothing should keep a folder busy that someone wants to unmount
                stdin=stdin,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise ConfigurationError(f"cannot run {command.argv[0]}: {error.strerror}") from error


def start(profile: Profile, command: Command, log: Path) -> int:
    """Start the browser, and wait until it has taken its profile; return its process id.

    Raises ConfigurationError when it ends before that.
    """
    browser = launch(command, log)
    give_up = time.monotonic() + PATIENCE
    while not profile.running():
        # 0 may be a script that has started the browser.
        if browser.poll():
            raise ConfigurationError(
                f"{command.argv[0]} ended during its start, with {browser.returncode}",
                hint=_advice(log),
            )
        if time.monotonic() > give_up:
            say(
                f"the browser has not started completely yet; its messages are in {log}",
                level="warning",
            )
            break
        time.sleep(0.05)
    browser.returncode = 0  # it is not ours to wait for any more
    return browser.pid


def hand_over(command: Command) -> bool:
    """Let the browser that runs open the addresses of `command`; whether it has said that it did.

    Raises ConfigurationError when it does not.
    """
    messenger = launch(command, Path(os.devnull))
    try:
        code = messenger.wait(_ANSWER)
    except subprocess.TimeoutExpired:
        # The other one has ended meanwhile, and this is the browser now; or it asks the user
        # something. Firefox does, when there is no D-Bus over which it could reach the other one.
        messenger.returncode = 0
        return False
    if code:
        raise ConfigurationError(
            f"{command.argv[0]} ended with {code} instead of opening the sites",
            hint="Close its windows, then try again.",
        )
    return True


def _advice(log: Path) -> str:
    for line in _said(log):
        if "display" in line.lower():
            return f"Run it in a graphical session (DISPLAY, WAYLAND_DISPLAY).\n{line[:300]}"
    return f"{last_words(log)}\nIts messages are in {log}"
