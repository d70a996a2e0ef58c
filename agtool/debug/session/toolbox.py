"""Programs of another image, that of --tools: where they are, and the shell that finds them.

In a new pod that image is a volume, or where Kubernetes has no such volumes its /bin is copied.
Beside a container that runs no volume can be added: there they are the files of an ephemeral
container of that image, seen through the processes that both share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agtool.debug.model import PLAIN_SHELL

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

_FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")

_STARTING = 5.0
"""Seconds for which a container that has just started may still be unknown to its kubelet."""

_ENOUGH = 30.0
"""Seconds for a shell that does nothing, on a node that has much to do."""


def path_of(root: str) -> str:
    """The value of PATH for the programs of an image whose files are in `root`.

    The folder itself is the last: a statically linked program often lies there.
    """
    return ":".join([*(f"{root}/{folder}" for folder in _FOLDERS), root])


def shells(root: str) -> list[list[str]]:
    """What may be a shell, in the order in which it is tried: that of the tools is the first."""
    return [
        [f"{root}/bin/sh"],
        [f"{root}/bin/busybox", "sh"],
        ["sh"],
        [f"{root}/busybox", "sh"],
        [f"{root}/sh"],
    ]


def with_path(shell: Sequence[str], root: str) -> list[str]:
    """How a script is run by a shell, with the programs in `root` behind those of the image."""
    again = " ".join([*shell, "-c"])
    script = f'export PATH="${{PATH:+$PATH:}}{path_of(root)}"; exec {again} "$0" "$@"'
    return [*shell, "-c", script]


def find_shell(session: Session, pod: str, container: str, root: str) -> list[str]:
    """How a script is run in a container that sees tools in `root`.

    Args:
        pod: its path in the API.

    Returns the image's own shell without the tools if there is none that runs: then its error is
    the one to tell.
    """
    from agtool.core.kube.exec import run

    for shell in shells(root):
        command = [*shell, "-c", "exit 0"]
        printed = run(session, pod, container, command, timeout=_ENOUGH, patience=_STARTING)
        if printed.ended.exit_code == 0:
            return with_path(shell, root)
    return list(PLAIN_SHELL)
