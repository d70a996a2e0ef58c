"""What a look into a container says, and what is made of it."""

from dataclasses import replace

import pytest

from agtool.debug.modes import Given
from agtool.debug.pod.look import Seen, described, read_seen

SEEN = Seen(
    mine=9,
    theirs=1,
    our_user=1234,
    our_group=5,
    their_user=1234,
    their_group=5,
    capabilities=0,
    readable=True,
)
TEXT = """mine 9
theirs 1
our Uid: 1234 1234 1234 1234
our Gid: 5 5 5 5
our CapEff: 0000000000000000
their Uid: 1234 1234 1234 1234
their Gid: 5 5 5 5
their CapEff: 0000000000000000
readable
"""


def test_what_is_printed_is_read() -> None:
    assert read_seen(TEXT) == SEEN
    other = TEXT.replace("Uid: 1234 1234", "Uid: 7 0").replace("readable\n", "")
    assert read_seen(other) == replace(SEEN, our_user=0, their_user=0, readable=False)
    root = read_seen(TEXT.replace("CapEff: 0000000000000000", "CapEff: 00000000a80c25fb", 1))
    assert root
    assert root.capabilities == 0xA80C25FB


@pytest.mark.parametrize("text", ["", "nonsense", "our Uid:", "mine x\ntheirs y\n"])
def test_what_is_not_understood_is_no_sight(text: str) -> None:
    assert read_seen(text) is None


PTRACE = 1 << 19


@pytest.mark.parametrize(
    ("seen", "root", "told"),
    [
        (SEEN, False, ["The files of that container are in /proc/1/root."]),
        (replace(SEEN, theirs=0), False, ["does not show the processes"]),
        # The runtime knows no targets: the first process is our own.
        (replace(SEEN, mine=1), False, ["does not show the processes"]),
        (
            replace(SEEN, readable=False, our_user=77),
            False,
            ["as user and group 1234:5, and ours as 77:5", "--user 1234:5; or --root"],
        ),
        (
            replace(SEEN, readable=False, our_group=0),
            False,
            ["as user and group 1234:5, and ours as 1234:0", "--user 1234:5; or --root"],
        ),
        (
            replace(SEEN, readable=False, our_user=0, capabilities=0xFB),
            False,
            ["ours as 0:5", "--user 1234:5; or --root --profile general, if"],
        ),
        (replace(SEEN, readable=False), False, ["it has more rights", "To read them: --root"]),
        (replace(SEEN, readable=False, capabilities=PTRACE), False, ["a security module"]),
        (SEEN, True, ["no effect as user 1234, only as root: add --root.", "are in /proc/1/root"]),
        (replace(SEEN, our_user=0, their_user=0, capabilities=PTRACE), True, ["are in /proc/1"]),
    ],
)
def test_what_is_said(seen: Seen, root: bool, told: list[str]) -> None:
    lines = described(seen, wants_root=root, given=Given())
    assert len(lines) == len(told)
    for line, words in zip(lines, told, strict=True):
        assert words in line
