"""A command in a container, over the API server's exec and attach.

One thread: poll() over the socket, stdin, stdout and stderr, none of which ever blocks it. So
what is typed goes out at once, however much comes in, and nothing is held that is not bounded.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.core.kube.channels import STATUS, STDERR, STDIN, STDOUT
from agtool.core.kube.ended import Ended, read_status
from agtool.core.kube.upgraded import LostError, Upgraded
from agtool.core.output import Cursor
from agtool.debug.session import messages
from agtool.debug.session.held import END_OF_INPUT, Holder, Tail, read_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from agtool.debug.interrupts import Interrupts
    from agtool.debug.session.record import Recording
    from agtool.debug.session.terminal import Terminal

PING_EVERY = 5.0
"""Seconds; as client-go. Proxies drop connections that are idle for one to five minutes."""

_PING_UNREAD_EVERY = 30.0
"""The same while our own output is not read. The command may have ended then without our knowing
it, and a ping makes the API server drop its output that is on the way: see `_keep_alive`."""

DEAF_AFTER = 61.0
"""Seconds without any answer to pings after which the connection counts as lost; as client-go."""

_UNREAD = 64 * 1024
"""Bytes of input that wait in the pipe to a command that does not read. Where there has been more,
pings may wait behind it, for as long as `psql` makes an index: then TCP alone tells a lost one."""

_LAST_WORDS = 2.0
"""Seconds without a message, after the command's end, until nothing more is waited for.

The server says how the command ended on a channel of its own: output may follow.
"""

_UNTOLD = 30.0
"""Seconds of silence, after the end of a command that is held, after which the server, which has
not said that it ended, is not waited for any more. Whoever still has the command's stdout may
print meanwhile."""

_SMALLER = 3.0
"""Seconds for which a terminal has a line less, to show that we are there; see `lifeline`."""

_BUFFER = 256 * 1024
"""Bytes of either direction that may wait for the other side."""

_BEGINNING = 1024
"""Bytes of the output in which a container runtime's complaint is looked for."""

_PORTION = 32 * 1024
"""Bytes read from stdin at once: what fits into one message of client-go's."""


class ExecError(AgtoolError):
    """The command could not be started, or nobody can say how it ended."""

    code = "exec"


@dataclass(frozen=True)
class Ends:
    """Our ends of the command's streams, as descriptors.

    Attributes:
        stdin: None: not attached.
        terminal: the one that the command gets a copy of; None: the command has no terminal.
        held: what holds the streams on the far side.
        name: of the program, if it is held.
        recording: of what the command prints.
        lost: why the session's lifeline is not there; empty: it is.
    """

    stdin: int | None
    stdout: int = 1
    stderr: int = 2
    terminal: Terminal | None = None
    held: Holder | None = None
    name: str = ""
    recording: Recording | None = None
    lost: Callable[[], str] = str


def run(connection: Upgraded, ends: Ends, interrupts: Interrupts) -> Ended:
    """Connect our streams with the command's until it ends.

    The terminal, if there is one, must be in raw mode already.

    Raises:
        LostError: the connection broke: nobody knows how the command ended, or whether.
        ExecError: the end of the output did not come.
        ConfigurationError: our stdout cannot be written to (a full disk).
        BrokenPipeError: the reader of our stdout went away.
        Stopped: a signal.
    """
    output = _Output(ends)
    try:
        return _Loop(connection, ends, interrupts, output).run()
    finally:
        if ends.terminal and output.in_line:
            Cursor.leave = "\r\n"


class _Output:
    """What waits to be written to stdout and stderr, in the order in which it came.

    Attributes:
        in_line: whether the last that was written has not ended its line.
    """

    def __init__(self, ends: Ends) -> None:
        self._waiting: deque[tuple[int, memoryview]] = deque()
        self._ends = ends
        self._lengths = {fd: _length_of_a_write(fd) for fd in (ends.stdout, ends.stderr)}
        self.size = 0
        self.in_line = False

    @property
    def descriptor(self) -> int | None:
        """The one that the next write is for."""
        return self._waiting[0][0] if self._waiting else None

    def add(self, descriptor: int, data: memoryview) -> None:
        if data:
            self._waiting.append((descriptor, data))
            self.size += len(data)

    def write(self) -> None:
        """Write what the descriptor takes without blocking; it has been polled."""
        descriptor, data = self._waiting.popleft()
        try:
            written = os.write(descriptor, data[: self._lengths[descriptor]])
        except BlockingIOError:
            written = 0
        except OSError as error:
            if descriptor == self._ends.stdout:
                if isinstance(error, BrokenPipeError):
                    raise
                raise ConfigurationError(f"cannot write the output: {error.strerror}") from error
            written = len(data)  # nobody reads our stderr; the command goes on
        if written:
            self.in_line = data[written - 1] not in b"\r\n"
        self.size -= written
        if written < len(data):
            self._waiting.appendleft((descriptor, data[written:]))


def _length_of_a_write(descriptor: int) -> int:
    """Bytes that a descriptor takes at once without blocking, when poll() says that it does.

    For a pipe that is a page. A terminal's buffer is larger than that.
    """
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    return 1024 * 1024 if regular else select.PIPE_BUF


class _Loop:
    def __init__(
        self, connection: Upgraded, ends: Ends, interrupts: Interrupts, output: _Output
    ) -> None:
        self._interrupts = interrupts
        self._connection = connection
        self._ends = ends
        self._stdin = ends.stdin
        self._output = output
        self._said = b""
        self._ended: Ended | None = None
        marks = (STDOUT, STDERR) if ends.held else ()
        self._tails = {channel: Tail(ends.held.mark) for channel in marks if ends.held}
        self._marked: Ended | None = None
        self._smaller_until: float | None = None
        self._told = False
        self._fed = 0
        self._listened = time.monotonic()
        self._pinged = time.monotonic()

    def run(self) -> Ended:
        self._send_size()
        self._take(self._connection.messages())  # they came together with the handshake's answer
        while not self._connection.over:
            try:
                self._step()
            except LostError:
                if self._ended is None and self._marked is None:
                    raise
                break  # all is said, only not goodbye
            patience = _LAST_WORDS if self._ended else _UNTOLD
            silence = time.monotonic() - self._listened
            if (self._ended or self._marked) and silence > patience:
                break
        for channel, tail in self._tails.items():
            self._add(channel, tail.rest())
        while self._output.descriptor is not None:
            interests = {self._output.descriptor: select.POLLOUT}
            ready = _poll({**interests, self._interrupts.fileno(): select.POLLIN}, None)
            self._interrupts.check()
            if self._output.descriptor in ready:
                self._output.write()
        return self._how()

    def _how(self) -> Ended:
        """How the command ended."""
        if self._marked:
            return self._marked
        if self._ended is None:
            raise LostError("the API server closed the connection without saying how it ended")
        if self._said.startswith(b"pause: --run: unknown"):
            raise ExecError(
                "the pause in the image of --pause-image is older than this agtool",
                hint="Make the image again: python -m agtool.pause.image FILE",
            )
        if self._tails and self._ended == Ended(0) and not self._tails[STDOUT].end:
            raise ExecError(
                "the end of the output is missing, although the cluster reports success",
                hint="Run the command again.",
            )
        return self._ended

    def _step(self) -> None:
        """Wait until something can be done, and do it."""
        hungry = self._output.size < _BUFFER
        ready = _poll(self._interests(hungry), self._timeout(hungry))
        self._interrupts.check()
        connection, terminal = self._connection, self._ends.terminal
        if terminal and terminal.fileno() in ready and terminal.resized():
            self._send_size()
            if self._ends.recording:
                self._ends.recording.resized(terminal.size())
        self._look_after_the_lifeline()
        if self._stdin is not None and self._stdin in ready:
            self._read_stdin(self._stdin)
        # Before we send: a server that is done may have closed the connection after its last word.
        if hungry and (connection.decrypted or connection.fileno() in ready):
            self._take(connection.receive())
            self._listened = time.monotonic()
        self._keep_alive(hungry)
        connection.flush()
        if self._output.descriptor in ready:
            self._output.write()
        if not hungry:  # what has come meanwhile is still to be read
            self._listened = time.monotonic()

    def _interests(self, hungry: bool) -> dict[int, int]:
        """The events to wait for, by descriptor."""
        wanted: dict[int, int] = {self._interrupts.fileno(): select.POLLIN}

        def want(descriptor: int | None, events: int) -> None:
            if descriptor is not None and events:
                wanted[descriptor] = wanted.get(descriptor, 0) | events

        connection = self._connection
        sending = select.POLLOUT if connection.unsent else 0
        want(connection.fileno(), sending | (select.POLLIN if hungry else 0))
        if connection.unsent < _BUFFER and not (self._over_there or connection.broken):
            want(self._stdin, select.POLLIN)
        want(self._output.descriptor, select.POLLOUT)
        if self._ends.terminal:
            want(self._ends.terminal.fileno(), select.POLLIN)
        return wanted

    def _timeout(self, hungry: bool) -> float:
        if hungry and self._connection.decrypted:
            return 0
        if self._ended:
            return _LAST_WORDS
        if self._smaller_until:
            return 0.5
        return _UNTOLD if self._marked else max(0.0, PING_EVERY - self._quiet)

    def _send_size(self, less: int = 0) -> None:
        if self._ends.terminal:
            columns, lines = self._ends.terminal.size()
            size = messages.size_message(columns, max(1, lines - less))
            self._connection.send(size)

    def _look_after_the_lifeline(self) -> None:
        """Where it is lost, say so, and let the other side see that this connection stands."""
        if self._smaller_until and time.monotonic() > self._smaller_until:
            self._smaller_until = None
            self._send_size()
        why = "" if self._over_there else self._ends.lost()
        if why and not self._told:
            end = "\r\n" if self._ends.terminal else "\n"
            told = (
                f"agtool: warning: the second connection to the pod is lost: {why}",
                "The session goes on. If agtool is killed now, it may go on until --ttl.",
            )
            self._output.add(
                self._ends.stderr,
                memoryview("".join(f"{end}{line}" for line in (*told, "")).encode()),
            )
            self._smaller_until = time.monotonic() + _SMALLER
            self._send_size(less=1)
        self._told = bool(why)

    @property
    def _over_there(self) -> bool:
        """Whether the command has ended."""
        return bool(self._ended or self._marked)

    def _read_stdin(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _PORTION)
        except BlockingIOError:
            return
        except OSError:  # a terminal that vanished
            self._interrupts.hang_up()
            data = b""
        self._fed += len(data)
        if not data:
            self._stdin = None
        if self._ends.held:
            self._connection.send(self._ends.held.input(data))
        else:
            self._connection.send(messages.encode(STDIN, data) if data else END_OF_INPUT)

    @property
    def _quiet(self) -> float:
        """Seconds in which nothing has come, and no ping has gone out."""
        return min(time.monotonic() - self._pinged, self._connection.silence)

    def _keep_alive(self, hungry: bool) -> None:
        # What comes keeps it alive as well. And where the command is over, a ping makes the API
        # server drop the output that is on its way to us (1.37): it passes the ping on to the
        # node, which has hung up, and then hangs up on us.
        if self._quiet >= (PING_EVERY if hungry else _PING_UNREAD_EVERY) and not self._over_there:
            now = time.monotonic()
            if now - self._pinged > DEAF_AFTER:
                self._listened = now  # we were stopped, as a notebook is: nobody was asked
            self._pinged = now
            self._connection.ping()
        # Whoever does not read cannot hear an answer; nor is one due where the command does not.
        heard = hungry and self._fed <= _UNREAD
        if heard and time.monotonic() - self._listened > DEAF_AFTER:
            raise LostError(f"no answer from the API server for {DEAF_AFTER:.0f} s")

    def _take(self, received: list[bytes]) -> None:
        for message in received:
            channel, data = messages.decode(message)
            if channel in {STDOUT, STDERR}:
                if len(self._said) < _BEGINNING:
                    self._said += data[:_BEGINNING]
                tail = self._tails.get(channel)
                self._add(channel, tail.take(bytes(data)) if tail else data)
            elif channel == STATUS and data:
                self._ended = messages.after_output(read_status(bytes(data)), self._said)
        if self._tails and not self._marked and all(tail.end for tail in self._tails.values()):
            self._marked = read_end(self._tails[STDOUT].end, self._ends.name)
            self._connection.send(END_OF_INPUT)  # what holds the streams waits for that

    def _add(self, channel: int, data: bytes | memoryview) -> None:
        ends = self._ends
        if ends.recording:
            ends.recording.output(bytes(data))
        self._output.add(ends.stdout if channel == STDOUT else ends.stderr, memoryview(data))


def _poll(interests: dict[int, int], seconds: float | None) -> set[int]:
    """The descriptors that are ready, in whatever way."""
    poll = select.poll()
    for descriptor, events in interests.items():
        poll.register(descriptor, events)
    return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}
