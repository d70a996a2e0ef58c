"""The environment that this process was given, before Python and its libraries changed it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_KEPT = b"AGTOOL_KEPT_"
"""bundle/launcher.c gives variables that its own loader would obey names that start so."""


def given_environment() -> dict[bytes, bytes]:
    """The variables with which this process was started, for a command that we wrap.

    Without a locale Python sets LC_CTYPE, and sitecustomize or an agent that is loaded with it may
    set more. Where there is no /proc, it is what the environment has become. To be read before the
    process's title is changed, which may be written over it (proc(5), /proc/pid/environ).
    """
    with suppress(OSError):  # not Linux; or a program with capabilities, which nobody may look into
        block = Path("/proc/self/environ").read_bytes()
        # As Python reads it: of a name that stands there twice, the first.
        return {
            name.removeprefix(_KEPT): value
            for entry in reversed(block.split(b"\0"))
            for name, sign, value in [entry.partition(b"=")]
            if sign
        }
    return dict(os.environb)
