"""Finding the end of a command's output, however it is cut into messages."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agtool.core.kube.ended import Ended
from agtool.debug.session.held import Holder, Tail, read_end

MARK = "abab:"


def taken(parts: list[bytes]) -> tuple[bytes, str]:
    tail = Tail(MARK)
    own = b"".join([*map(tail.take, parts), tail.rest()])
    return own, tail.end


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


# An alphabet in which the mark's beginnings are frequent.
near = st.text("ab:07", max_size=40).filter(lambda text: MARK not in text).map(str.encode)
places = st.lists(st.integers(0, 100), max_size=6)


@given(near, near, places)
@example(b"ab", b"", [1, 2, 3])
def test_the_mark_is_found_wherever_it_is_cut(
    before: bytes, after: bytes, places: list[int]
) -> None:
    if MARK.encode() in before + MARK[:-1].encode():
        return
    whole = before + MARK.encode() + b"042" + after
    assert taken(cut(whole, places)) == (before + after, "042")


@given(near, places)
def test_without_a_mark_all_is_output(data: bytes, places: list[int]) -> None:
    assert taken(cut(data, places)) == (data, "")


@given(st.sampled_from([b" sh -c ps", b"\0sh", b"\n", b"01 ", b"N1x", b"X"]), near, places)
def test_the_mark_in_a_command_line_is_output(
    follows: bytes, before: bytes, places: list[int]
) -> None:
    """`ps` prints that of what holds the streams."""
    if MARK.encode() in before + MARK[:-1].encode():
        return
    own = before + MARK.encode() + follows + b"\n"
    assert taken(cut(own + MARK.encode() + b"005", places)) == (own, "005")


def test_a_mark_whose_end_is_missing_is_output() -> None:
    assert taken([b"x", MARK.encode(), b"04"]) == (b"x" + MARK.encode() + b"04", "")


@pytest.mark.parametrize(
    ("end", "name", "ended"),
    [
        ("000", "x", Ended(0)),
        ("137", "x", Ended(137)),
        ("N02", "nope", Ended(127, 'exec: "nope": executable file not found in $PATH')),
        ("N02", "/no/pe", Ended(127, 'exec: "/no/pe": no such file or directory')),
        ("X13", "/etc", Ended(126, 'exec: "/etc": permission denied')),
        ("X08", "/f", Ended(126, 'exec: "/f": exec format error')),
    ],
)
def test_how_it_ended(end: str, name: str, ended: Ended) -> None:
    assert read_end(end, name) == ended


def test_each_mark_is_another() -> None:
    assert Holder(None, "x").mark != Holder(None, "x").mark


def test_input_is_framed_for_our_program_and_plain_for_a_shell() -> None:
    ours, shell = Holder("/.agtool/pause", "x"), Holder(None, "x")
    assert ours.input(b"data") == b"\0\x04\0\0\0data"
    assert ours.input(b"") == b"\0\0\0\0\0"
    assert shell.input(b"data") == b"\0data"
    assert shell.input(b"") == b"\xff\0"
