"""What agtool debug may say, and what must have happened then; pure.

A line that stands nowhere here breaks a promise, and so does one whose reason has not happened.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

ANY = frozenset({"any"})

NETWORK = {"cut", "cut_one", "outage", "freeze", "restart", "suspend"}
"""The connection breaks, or the API server does not answer."""

GONE = {"evict", "delete_pod", "delete_owner", "drain", "cleanup"}
"""Somebody deletes the pod; `cleanup`: another session's user removes what is over."""

CREDENTIALS = {"token_expires", "token_revoked"}

KILLED = {"kill_main", "oom"}

ENDS = {"ttl"} | GONE | KILLED
"""The container ends without agtool's doing, and so does its connection."""

_NAME = r"debug-[a-z0-9]{6}"
_PLACE = r"namespace chaos-(jobs|none) of context \S+"

_LINES: list[tuple[str, Collection[str]]] = [
    # What is so in each session.
    (rf"pod {_NAME} in {_PLACE}: .*", ANY),
    (rf"job {_NAME} owns the pod: within a minute after --ttl the cluster removes both, .*", ANY),
    (r"No job owns the pod: \S+ may not create jobs in namespace chaos-none", ANY),
    (r"If agtool is killed, the pod ends nevertheless, and is listed until `.*", ANY),
    (rf"pod {_NAME} stays until .* \(--ttl\)", ANY),
    (rf"To open a shell in it again: agtool debug .* --attach {_NAME}", ANY),
    (rf"To remove it: kubectl .* delete pod(,job)? {_NAME}", ANY),
    (rf"container {_NAME} in pod target-\d+, {_PLACE}, beside container main, .*", ANY),
    (r"The files of that container (are in /proc/\d+/root\.|, in /proc/\d+/root, cannot .*)", ANY),
    (r"To read them: .*", ANY),
    (rf"container {_NAME} has ended; it stays in the list of containers of the pod", ANY),
    (
        rf"container {_NAME} ends by itself within \d+ s \(--ttl\), if it starts; it stays .*",
        ANY,
    ),
    # What takes its time.
    (rf"({_NAME}|target-\d+): (waiting for a node|(pulling|starting) .*|running)", ANY),
    (r"asking the cluster why it has ended \.\.\.", ANY),
    (r"waiting for the container's node to answer \.\.\.", ANY),
    (rf"still removing pod {_NAME}; Ctrl-C gives up \.\.\.", ANY),
    (rf"still ending container {_NAME}; Ctrl-C gives up \.\.\.", ANY),
    # Why it ended.
    (r"(error: )?(.*; )?the pod's lifetime \(--ttl\) is over", {"ttl"}),
    (
        r"(error: )?(.*; )?the pod's main process has ended: its lifetime .* is over, or it .*",
        {"ttl"},
    ),
    (r"(.*; |error: )?the pod was deleted", GONE),
    (r"(error: )?(.*; )?container \S+ ended: signal 9", {"kill_main", "kill_command", "ttl"}),
    (rf"(error: )?(.*; )?container {_NAME} ended: its lifetime \(--ttl\) is over", {"ttl"}),
    (
        rf"error: .*; container {_NAME} ended: its session is over",
        NETWORK | CREDENTIALS,
    ),
    (r"(.*; )?what became of (the pod|container \S+) is not known: .*", NETWORK | CREDENTIALS),
    (r"(.*; )?container \S+ ended: it needed more memory than its limit \(OOMKilled\)", {"oom"}),
    (r"error: (the connection to the API server broke|no answer from the API server)\b.*", NETWORK),
    (r"error: the API server closed the connection\b.*", NETWORK | ENDS),
    (r"error: the end of the output is missing, .*", NETWORK | ENDS),
    (r"Run the command again\.", NETWORK | ENDS),
    (r"error: cannot reach \S+: .*", NETWORK),
    (r"Check that the API server runs, and that '.*' is the right context\.", NETWORK),
    (r"(error: )?\S+ (took the request|answers 5\d\d to|answers 429 to)\b.*", NETWORK),
    (r"The API server (may be|is) overloaded.*", NETWORK),
    (r"cannot reach \S+: .*: trying again in \d+ s", NETWORK),
    (r"(error: )?\S+ does not accept our credentials \(401\)", CREDENTIALS),
    (r"Log in again, or check the user .*", CREDENTIALS),
    (rf"error: {_NAME} is not running after .*", NETWORK | {"drain"}),
    (rf"{_NAME}: no node takes the pod: .*", {"drain"}),
    (r"Tolerate the taint with --toleration KEY\.", {"drain"}),
    (rf"({_NAME}|target-\d+): node-1: MountVolume.SetUp failed .*", {"restart"}),
    (r"Waiting \d+ s in all \(--timeout\) for a change", {"drain", "restart"}),
    (r"error: container main of pod target-\d+ does not run.*", GONE | KILLED),
    (r"`kubectl .* describe pod target-\d+` shows why\. .*", GONE | KILLED),
    (r"To debug in a new pod that is like it: agtool debug .* --like .*", GONE | KILLED),
    (rf"error: pod {_NAME} has ended: the pod was deleted", GONE | KILLED),
    (rf"error: pod {_NAME} has ended: the pod's .*lifetime \(--ttl\) is over.*", {"ttl"}),
    (rf"error: pod {_NAME} has ended: container debug ended: signal 9", {"kill_main", "ttl"}),
    (r"To remove it: agtool debug .* --cleanup", ENDS),
    (rf'error: pods "({_NAME}|target-\d+)" not found', GONE),
    (r"To see which there are: (kubectl .* get pods( -n \S+)?|agtool debug .* --list)", GONE),
    # One that starts when the API server does is told so, as Kubernetes' own controllers are.
    (r"error: \S+ may not \w+ \S+ in namespace \S+", {"at once"}),
    (r"Ask for a Role in .*", {"at once"}),
    (r"To see all the rights that this needs, add --print-rbac to it\.", {"at once"}),
    # What it could not do.
    (rf"warning: (pod|job) {_NAME} could not be removed: .*credentials \(401\)", CREDENTIALS),
    (rf"warning: (pod|job) {_NAME} could not be removed: interrupted", {"int_twice"}),
    (rf"warning: (pod|job) {_NAME} could not be removed: .*", NETWORK),
    (rf"warning: (pod|job) {_NAME} may have been made nevertheless, .*", NETWORK | {"int_twice"}),
    (r"The pod ends by itself, and after --ttl the cluster removes all of it\. .*", ANY),
    (r"The pod ends by itself\. To remove it, run:", ANY),
    (r"  agtool debug .* --cleanup", ANY),
    (rf"or:  kubectl .* delete pod(,job)? {_NAME}", ANY),
    (
        r"warning: the second connection to the pod is lost: .*",
        NETWORK | CREDENTIALS | ENDS,
    ),
    (r"The session goes on\. If agtool is killed now, it may go on until --ttl\.", ANY),
]

LINES = [(re.compile(pattern), frozenset(facts)) for pattern, facts in _LINES]


def said(text: str) -> list[str]:
    """The lines of agtool's own in what came on a terminal or pipe, without `agtool: `."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    # What the chatty command writes to its stdout may end anywhere: stderr is another pipe.
    plain = re.sub(r"(?<=\d)agtool: ", "\nagtool: ", plain)
    lines = re.split(r"[\r\n]+", plain)
    return [line.removeprefix("agtool: ") for line in lines if line.startswith("agtool: ")]


def untrue(line: str, facts: Collection[str]) -> bool:
    """Whether a line of agtool's is unknown, or has a reason that has not happened."""
    return not any(
        pattern.fullmatch(line) and (allowed is ANY or allowed & set(facts))
        for pattern, allowed in LINES
    )


def ends_at_once(lines: Sequence[str]) -> bool:
    """Whether it got no further than to its first request."""
    return bool(lines) and lines[0].startswith("error: ")


def gives_a_reason(lines: Collection[str]) -> bool:
    """Whether one of them says why the session ended."""
    reason = (
        r"error: .*|(.*; )?the pod.* (was deleted|is over.*|ended.*)|container \S+ ended: .*|"
        r"(.*; )?container \S+ ended: .*|what became of .* is not known: .*"
    )
    return any(re.fullmatch(reason, line) for line in lines)
