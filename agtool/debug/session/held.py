"""A command whose streams stay open on the far side until we have got all of its output. Pure.

What stands between a command and us loses data at the edges: containerd closes a command's stdin
as soon as its stdout ends (2.4, internal/cri/io/exec_io.go), so that `sh -c 'cat >file'` gets a
part of its input; the API server may drop the end of the output of a command that has ended, and
call that a success (1.37); and exec may not return where a command has not read its input. So our
pause runs the command, or a shell does where pause is not in the container. It holds the streams,
writes a mark to both outputs when the command has ended, and ends itself when we have got that.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from agtool.core.errors import CANNOT_EXECUTE, NOT_FOUND
from agtool.core.kube.channels import CLOSE, STDIN
from agtool.core.kube.ended import Ended
from agtool.debug.session.messages import encode

_END = 3
"""Characters after the mark: see `--run` in pause.c."""

_MAY_END = re.compile(rb"[0-9]{0,3}|[NX][0-9]{0,2}")
"""What they may be. The mark alone stands in the holder's command line, which `ps` prints."""

# $1 is the mark, the rest is the command; $0 stands in the shell's own messages. The command runs
# in a subshell, so that `exit` is no command and the shell itself stays. What has not been read is
# read at the end, or the runtime would wait.
_BY_A_SHELL = (
    "mark=$1; shift; "
    'end() {{ printf "%s%s" "$mark" "$1" >&2; printf "%s%s" "$mark" "$1"; '
    "{stop}cat >/dev/null 2>&1; exit $2; }}; {start}"
    'command -v "$1" >/dev/null 2>&1 || end N02 127; '
    '(exec "$@"){redirection}; code=$?; '
    "case $code in ?) end 00$code $code ;; ??) end 0$code $code ;; *) end $code $code ;; esac"
)
_WITH_INPUT = {"start": "", "stop": "", "redirection": ""}
# Nothing comes, so that the end of the input is the end of its client. A job in the background
# would read /dev/null, hence the 3.
_WITHOUT_INPUT = {
    "start": "exec 3<&0; (cat >/dev/null 2>&1; trap '' HUP; kill -HUP -$$; sleep 1; "
    "kill -KILL -$$) <&3 & watching=$!; ",
    "stop": "kill $watching; ",
    "redirection": " </dev/null 3<&-",
}


@dataclass(frozen=True)
class Holder:
    """What runs a command and holds its streams.

    Attributes:
        program: the path of pause in the container; None: a shell does it.
        session: the session's mark, by which the lifeline sees whether we are still there.
        shell: how that runs a script.
        secret: with it no command prints the mark but by intent.
    """

    program: str | None
    session: str
    shell: Sequence[str] = ("sh", "-c")
    secret: str = field(default_factory=lambda: secrets.token_hex(12))

    @property
    def mark(self) -> str:
        """What the end of the output begins with."""
        return f"{holder_of(self.session)}{self.secret}:"

    def argv(self, command: Sequence[str], *, stdin: bool) -> list[str]:
        """What is executed in the container, so that `command` runs, with or without our input."""
        if self.program:
            return [self.program, "--run", "pipe" if stdin else "null", self.mark, *command]
        script = _BY_A_SHELL.format(**(_WITH_INPUT if stdin else _WITHOUT_INPUT))
        return [*self.shell, script, "agtool", self.mark, *command]

    def input(self, data: bytes) -> bytes:
        """The message for a portion of the command's input; without data for its end."""
        if self.program:
            return encode(STDIN, len(data).to_bytes(4, "little") + data)
        return encode(STDIN, data) if data else END_OF_INPUT


def holder_of(session: str) -> str:
    """What only the holders of a session have in their command line."""
    return f"agtool-end-{session}-"


END_OF_INPUT = encode(CLOSE, bytes((STDIN,)))
"""The message that there is no more input: not for what holds the command's either."""


class Tail:
    """One output of a command that is held: finds the mark in it."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._held = b""
        self.end = ""
        """What stands after the mark; empty: it has not come."""

    def take(self, data: bytes) -> bytes:
        """The command's own part of what has come. The last bytes may come with the next part."""
        if self.end:
            return data
        data, self._held = self._held + data, b""
        at = data.find(self._mark)
        while at >= 0 and not self._may_end(data, at):
            at = data.find(self._mark, at + 1)
        if at < 0:
            at = self._beginning(data)
        after = at + len(self._mark) + _END
        if len(data) < after:
            self._held = data[at:]
            return data[:at]
        if at < len(data):
            self.end = data[after - _END : after].decode(errors="replace")
            return data[:at] + data[after:]
        return data

    def _may_end(self, data: bytes, at: int) -> bool:
        """Whether what follows the mark at `at`, as far as it has come, may be an end."""
        after = at + len(self._mark)
        return _MAY_END.fullmatch(data, after, after + _END) is not None

    def rest(self) -> bytes:
        """What was kept back, since it could have been the mark's beginning."""
        data, self._held = self._held, b""
        return data

    def _beginning(self, data: bytes) -> int:
        """Where the mark may begin at the end of `data`; its length: nowhere."""
        at = data.find(self._mark[:1], max(0, len(data) - len(self._mark) + 1))
        while at >= 0 and not self._mark.startswith(data[at:]):
            at = data.find(self._mark[:1], at + 1)
        return at if at >= 0 else len(data)


def read_end(end: str, name: str) -> Ended:
    """How the command ended, by what stands after the mark.

    Args:
        name: of the program, for a message like that of a container runtime.
    """
    if re.fullmatch(r"[0-9]{3}", end):
        return Ended(int(end))
    why = os.strerror(int(end[1:])).lower()
    if not end.startswith("N"):
        return Ended(CANNOT_EXECUTE, f'exec: "{name}": {why}')
    if "/" not in name:
        why = "executable file not found in $PATH"
    return Ended(NOT_FOUND, f'exec: "{name}": {why}')
