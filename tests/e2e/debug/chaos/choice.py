"""What chance decides about a session before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.e2e.debug.chaos.faults import FAULTS, Streams, Way

Moment = Literal["start", "made", "up", "end"]
"""Soon after agtool's start; when its pod is there; while the command runs; when that has ended."""

_MOMENTS: tuple[Moment, ...] = ("start", "made", "up", "up", "up", "end")

UP = "is-up"
"""What the command says first."""

_KINDS = ("short", "long", "long", "stubborn", "fork", "chatty")

_SCRIPTS = {
    "short": "sleep {seconds}; exit {code}",
    "long": "sleep 600",
    "stubborn": "trap '' HUP TERM INT; while :; do sleep 1; done",
    # One that leaves the session, and holds nothing of it.
    "fork": "setsid sleep 600 </dev/null >/dev/null 2>&1 & sleep {seconds}; exit {code}",
    "chatty": "n=0; while [ $n -lt {tenths} ]; do yes 0123456789 | head -n 2000; sleep 0.1; "
    "n=$((n+1)); done; exit {code}",
    # The limit is for a cluster that cannot limit memory.
    "hungry": "sleep {seconds}; ulimit -v 400000; exec tail /dev/zero",
}


@dataclass(frozen=True)
class Choice:
    """A session.

    Attributes:
        jobs: whether its user may make Jobs.
        ttl: seconds.
        kind: of its command, see _SCRIPTS.
        seconds: for which the command works, if it ends by itself.
        code: with which it ends then.
        delay: seconds from the moment to the fault.
        patient: whether who cleans up comes after the lifetime, not at once.
    """

    seed: int
    number: int
    way: Way
    streams: Streams
    jobs: bool
    ttl: int
    kind: str
    seconds: float
    code: int
    fault: str
    moment: Moment
    delay: float
    patient: bool

    @property
    def on_terminal(self) -> bool:
        return self.streams in {"terminal", "shell"}

    @property
    def ends_by_itself(self) -> bool:
        """Whether the command does, before its pod."""
        return self.kind in {"short", "fork", "chatty"}

    @property
    def script(self) -> str:
        """The command; as it stands here, it does not say that it is up."""
        work = _SCRIPTS[self.kind].format(
            seconds=f"{self.seconds:.1f}", tenths=int(10 * self.seconds), code=self.code
        )
        return f"echo is-'up' >&2; {work}"

    def chance(self, *of: object) -> Random:
        """What decides about one part of it."""
        return Random(f"{self.seed}:{self.number}:{of}")  # noqa: S311  # no secret

    def __str__(self) -> str:
        """For people, with what repeats it."""
        own = f"{self.seconds:.1f} s, then {self.code}" if self.ends_by_itself else "without end"
        return (
            f"session {self.number}: {self.way}, {self.streams}, a {self.kind} command ({own}), "
            f"--ttl {self.ttl}, {'Jobs' if self.jobs else 'no Jobs'}; {self.fault} "
            f"{self.delay:.2f} s after {self.moment}\n"
            f"  this repeats it: make chaos-sessions SESSIONS=1 SEED={self.seed} "
            f"FIRST={self.number}"
        )


def choose(seed: int, number: int, only: tuple[str, ...] = ()) -> Choice:
    """The session of that number, always the same one; only: the faults to choose from."""
    chance = Random(f"{seed}:{number}")  # noqa: S311  # no secret
    weights = {name: f.weight for name, f in FAULTS.items() if not only or name in only}
    fault = FAULTS[chance.choices(list(weights), list(weights.values()))[0]]
    way = chance.choice(fault.ways)
    streams = chance.choice(fault.streams)
    moment = chance.choice(_MOMENTS)
    delay = chance.choice((0.0, chance.uniform(0, 0.3), chance.uniform(0, 3)))
    kind = "hungry" if fault.name == "oom" else chance.choice(_KINDS)
    return Choice(
        seed,
        number,
        way=way,
        streams=streams,
        jobs=chance.random() < 0.6,
        ttl=chance.choice((5, 8, 8, 12, 12, 40)),
        kind=kind,
        seconds=0.5 + 5 * chance.random() ** 2,
        code=chance.choice((0, 3)),
        fault=fault.name,
        # What never ends has no end to wait for.
        moment="up" if moment == "end" and kind in {"long", "stubborn"} else moment,
        delay=delay,
        patient=chance.random() < 0.5,
    )
