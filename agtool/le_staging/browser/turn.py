"""One agtool at a time has to do with a browser: a launcher is clicked twice easily.

Otherwise the second one could change whom the profile trusts while the first one starts the
browser, and what the first one says would not be true.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agtool.core.errors import DeniedError
from agtool.core.output import say
from agtool.le_staging.writing import own_folder, writing


@contextmanager
def taken(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Have the browser whose profile is in `folder`, which need not exist, for us alone.

    The kernel gives it free when we end, whatever the end is. Raises ConfigurationError and,
    unless we shall wait for another agtool, DeniedError.
    """
    with writing(folder):
        own_folder(folder)
        # A file, since NFS locks no folders.
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "rb"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise DeniedError(
                    f"another agtool is using the browser of {folder}",
                    hint="Wait until it has ended, then try again.",
                ) from None
            say("waiting for another agtool that is using this browser ...")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
