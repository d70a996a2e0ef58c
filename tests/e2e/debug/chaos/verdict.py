"""Whether a session kept the promises: pure checks of what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.debug.chaos import words

GRACE = 15.0
"""Seconds after the lifetime in which kubelet ends what runs: it looks every five seconds."""

LATER = 60.0
"""Seconds after the lifetime in which the cluster removes what a Job owns."""

RECOVERY = 60.0
"""Seconds for the cluster's own controllers to go on after their API server was away: they come
back up to half a minute after it does."""

_CODES: dict[str, set[int]] = {
    "kill": {-9},
    "term": {143, -15},
    "int": {130, -2},
    "int_twice": {130, -2},
    "hup": {129, -1},
    # Where it writes just then, or has not begun, it learns of it by that.
    "close_terminal": {129, -1, 125},
    "close_output": {141, -13},
    "suspend": {125},
    "cut": {125},
    "cut_one": {125},
    "outage": {125},
    "freeze": {125, 124},
    "restart": {125},
    "token_expires": {125},
    "token_revoked": {125},
    "evict": {125, 137},
    "delete_pod": {125, 137},
    "delete_owner": {125, 137},
    "drain": {124, 125, 137},
    "kill_main": {125, 137},
    # That of a sleep in a shell is the shell's to tell, or to go on from; that of what watches for
    # the end of the connection ends the command with SIGHUP.
    "kill_command": {125, 137, 129, 0, 1, 3},
    "oom": {125, 137, 1},
    "ttl": {125, 137},
}
"""The exit codes that a fault explains."""

_UNTOLD = {137, 125, 124}
"""Those that need a reason in words."""


@dataclass(frozen=True)
class Outcome:
    """What was seen of a session; seconds are by one clock, 0: it never was.

    Attributes:
        facts: what befell it.
        made, gone: when its first object was there, and when none was any more.
        ran, ran_last: when a process of it ran first, and last.
        ended: when agtool had.
        blind: seconds for which nobody could see, since the API server was away.
        recovering: whether it had been away just before.
        cleaned: whether `--cleanup` was needed.
    """

    facts: frozenset[str]
    code: int | None
    text: str
    own: int | None
    ttl: int
    jobs: bool
    made: float = 0.0
    gone: float = 0.0
    ran: float = 0.0
    ran_last: float = 0.0
    ended: float = 0.0
    blind: float = 0.0
    recovering: bool = False
    cleaned: bool = False

    @property
    def over_time(self) -> float:
        """Seconds for which a process of it ran after its lifetime."""
        return max(0.0, self.ran_last - self.ran - self.ttl) if self.ran else 0.0

    @property
    def left_for(self) -> float:
        """Seconds after its lifetime for which an object of it was left."""
        return max(0.0, self.gone - self.made - self.ttl) if self.made else 0.0


def problems(outcome: Outcome) -> list[str]:
    """What is wrong, in words."""
    return [*_wrong_end(outcome), *_wrong_words(outcome), *_left(outcome)]


def _wrong_end(outcome: Outcome) -> list[str]:
    if outcome.code is None:
        return ["agtool has not ended"]
    allowed = {outcome.own}.union(*(_CODES.get(fact, set()) for fact in outcome.facts))
    if outcome.code in allowed or _interrupted_python(outcome):
        return []
    return [f"exit code {outcome.code}, which nothing explains: {sorted(outcome.facts)}"]


def _wrong_words(outcome: Outcome) -> list[str]:
    lines = words.said(outcome.text)
    at_once = {"at once"} if "restart" in outcome.facts and words.ends_at_once(lines) else set()
    facts = outcome.facts | at_once
    found = [f"untrue or unknown: {line}" for line in lines if words.untrue(line, facts)]
    if "Traceback" in outcome.text and not _interrupted_python(outcome):
        found.append("a traceback")
    # Somebody killed the command itself, in its container that goes on: 137 is all there is to say.
    # And nobody is there to be told where the terminal is gone.
    # After a restart of the API server the kubelet may tell later than agtool waits for it.
    silent = outcome.facts & {"kill_command", "oom", "close_terminal", "restart"}
    if outcome.code in _UNTOLD and not silent and not words.gives_a_reason(lines):
        found.append(f"exit code {outcome.code}, and nothing says why")
    return found


def _interrupted_python(outcome: Outcome) -> bool:
    """Whether Ctrl-C met Python itself, before agtool was there."""
    lines = words.said(outcome.text)
    ends = outcome.text.rstrip().endswith("KeyboardInterrupt")
    return bool(outcome.facts & {"int", "int_twice"}) and not lines and ends


def _left(outcome: Outcome) -> list[str]:
    found = []
    if outcome.over_time > GRACE:
        found.append(f"a process ran {outcome.over_time:.1f} s after its lifetime")
    if not outcome.made:
        return found
    if not outcome.gone:
        after = " after --cleanup" if outcome.cleaned else ""
        found.append(f"objects are left{after}")
    elif outcome.jobs and outcome.left_for > LATER + _outage(outcome):
        found.append(f"objects were left {outcome.left_for:.1f} s after the lifetime")
    if outcome.cleaned and outcome.jobs:
        found.append("--cleanup was needed, although a Job could have owned the pod")
    return found


def _outage(outcome: Outcome) -> float:
    """Seconds that an API server which was away costs the cluster."""
    return outcome.blind + RECOVERY if outcome.blind or outcome.recovering else 0.0
