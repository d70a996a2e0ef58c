"""One look into a new container beside another: whose processes these are, and what can be read.

As whom an image's process runs is in no object of the API, and what a user may read of another's
process is the kernel's decision: ptrace(2), "Ptrace access mode checking". So both are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError

if TYPE_CHECKING:
    from agtool.core.kube.session import Session
    from agtool.debug.modes import Given

_SYS_PTRACE = 19
"""The capability's bit, see linux/capability.h."""

_STARTING = 5.0
"""Seconds for which a container that has just started may still be unknown to its kubelet."""

_ENOUGH = 10.0
"""Seconds for the look itself."""

# With nothing but what a shell has built in. $1 is the identity of the target's container, if its
# process may be another one than 1. `mine` is the first process of our own container: it has our
# cgroup, and the lowest id.
_SCRIPT = r"""
first() {
  found=
  for folder in /proc/[0-9]*; do
    id=${folder#/proc/}
    if [ -z "$found" ] || [ "$id" -lt "$found" ]; then
      while read -r line; do case $line in *"$1"*) found=$id; break;; esac; done <$folder/cgroup
    fi
  done 2>/dev/null
}
ids() {
  while read -r key real more; do
    case $key in Uid:|Gid:|CapEff:) echo "$2 $key $real $more";; esac
  done <$1 2>/dev/null
}
read -r cgroup </proc/self/cgroup
mine=
for folder in /proc/[0-9]*; do
  id=${folder#/proc/}
  if [ -z "$mine" ] || [ "$id" -lt "$mine" ]; then
    read -r line <$folder/cgroup && [ "$line" = "$cgroup" ] && mine=$id
  fi
done 2>/dev/null
found=1
[ -z "$1" ] || first "$1"
echo "mine $mine"
echo "theirs $found"
ids /proc/self/status our
[ -z "$found" ] || ids /proc/$found/status their
[ -z "$found" ] || ! (cd /proc/$found/root/.) 2>/dev/null || echo readable
"""


@dataclass(frozen=True)
class Seen:
    """What was seen.

    Attributes:
        mine: the id of the first process of our container; 0: not found.
        theirs: that of the target's; 0: not found.
        our_user, our_group: as whom we run.
        their_user, their_group: as whom the target's process runs; -1: not found.
        capabilities: ours that are in effect, as a set of bits.
        readable: the target's files can be read.
    """

    mine: int
    theirs: int
    our_user: int
    our_group: int
    their_user: int
    their_group: int
    capabilities: int
    readable: bool


def look(session: Session, pod: str, container: str, identity: str) -> Seen | None:
    """Look from inside a container; None: it cannot be done there.

    Args:
        pod: its path in the API.
        identity: of the target's container in its runtime; empty: its process is 1.

    Raises NotRunningError: ours has ended.
    """
    from agtool.core.kube.exec import NotRunningError, run

    wanted = identity.rpartition("/")[2]
    command = ["sh", "-c", _SCRIPT, "agtool-look", wanted]
    try:
        printed = run(session, pod, container, command, timeout=_ENOUGH, patience=_STARTING)
    except NotRunningError:
        raise
    except AgtoolError:
        return None
    return read_seen(printed.stdout.decode(errors="replace"))


def read_seen(text: str) -> Seen | None:
    """What the script has printed; None: nothing of use."""
    known: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] in (["our"], ["their"]) and len(words) > 2:
            known[f"{words[0]} {words[1]}"] = words[2:]
        elif words:
            known[words[0]] = words[1:]

    def number(key: str, base: int = 10) -> int:
        # The effective one is the second, of an id.
        values = known.get(key) or ["-1"]
        try:
            return int(values[1 if key.endswith("id:") and len(values) > 1 else 0], base)
        except ValueError:
            return -1

    if "our Uid:" not in known:
        return None
    return Seen(
        mine=max(0, number("mine")),
        theirs=max(0, number("theirs")),
        our_user=number("our Uid:"),
        our_group=number("our Gid:"),
        their_user=number("their Uid:"),
        their_group=number("their Gid:"),
        capabilities=max(0, number("our CapEff:", 16)),
        readable="readable" in known,
    )


def described(seen: Seen, *, wants_root: bool, given: Given) -> list[str]:
    """What can be read, and what to do about the rest, for people: some lines.

    Args:
        wants_root: capabilities were asked for, which have an effect for root only.
        given: what stands on the command line.
    """
    lines = []
    if wants_root and not seen.capabilities:
        way = given.named("--root")
        lines.append(
            f"The capabilities have no effect as user {seen.our_user}, only as root"
            + (f": add {way}" if way else "")
            + "."
        )
    if seen.theirs in (0, seen.mine):
        lines.append("The container runtime does not show the processes of that container here.")
        return lines
    files = f"/proc/{seen.theirs}/root"
    if seen.readable:
        lines.append(f"The files of that container are in {files}.")
        return lines
    theirs = f"{seen.their_user}:{seen.their_group}"
    ours = f"{seen.our_user}:{seen.our_group}"
    ways = []
    if theirs != ours:
        lines.append(
            f"The files of that container, in {files}, cannot be read: its process runs as user "
            f"and group {theirs}, and ours as {ours}."
        )
        ways = [given.named("--user", theirs), _as_root(seen, given)]
    elif seen.capabilities >> _SYS_PTRACE & 1:
        lines.append(
            f"The files of that container, in {files}, cannot be read: a security module of the "
            "node, such as AppArmor or SELinux, or the container runtime forbids it."
        )
    else:
        lines.append(
            f"The files of that container, in {files}, cannot be read, although its process runs "
            f"as {theirs} too: it has more rights than ours."
        )
        ways = [_as_root(seen, given)]
    if any(ways):
        lines.append(f"To read them: {'; or '.join(filter(None, ways))}")
    return lines


def _as_root(seen: Seen, given: Given) -> str:
    """How to be root that may trace; empty: that was asked for already, or cannot be."""
    if seen.our_user != 0:
        way = given.named("--root")
    elif "--root" in given or "--user" in given:
        way = given.named("--profile", "general") if given.profile != "general" else ""
    else:
        way = given.named("--root", "--profile general")
    return f"{way}, if the namespace allows SYS_PTRACE" if way else ""
