"""The folders of clusters: made, and removed with all that runs there, also after a crash.

A test run locks the folders of its clusters for as long as it lives, so the next one knows which
folders nobody needs any more.
"""

import fcntl
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.machine import remove_cgroup
from tests.cluster.places import instances
from tests.cluster.process import end_recorded

_numbers = itertools.count(1)


@contextmanager
def own_folder() -> Iterator[Path]:
    """Give a folder for a cluster of this process, and remove it with all that runs there.

    First removes what test runs that died have left. Raises ServerFailed.
    """
    instances().mkdir(parents=True, exist_ok=True)
    # Nobody is to see the folder before its lock is taken.
    with locked(instances() / "lock"):
        remove_leftovers()
        folder = instances() / f"test-{os.getpid()}-{next(_numbers)}"
        folder.mkdir()
        mine = (folder / "lock").open("w")
        fcntl.flock(mine, fcntl.LOCK_EX)
    with mine:
        try:
            yield folder
        finally:
            remove(folder)


def remove_leftovers() -> None:
    """Remove the folders of test runs that died. Raises ServerFailed."""
    for folder in instances().glob("test-*"):
        # Gone, or held: its run lives, or ends just now.
        with suppress(FileNotFoundError, BlockingIOError), (folder / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)


def remove(folder: Path) -> None:
    """Remove the folder of a cluster, with all that runs there. Raises ServerFailed."""
    # The machine first: what it takes along needs no time of its own.
    for record in sorted((folder / "run").glob("*"), key=lambda path: path.name != "machine"):
        end_recorded(record)
    remove_cgroup(folder)
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file, which stays; `waiting` is called when somebody else has it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
