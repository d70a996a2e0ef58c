"""Durations as people write and read them."""

import pytest

from agtool.core.duration import in_words, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5m", 90),
        ("250ms", 0.25),
        ("0", 0),
        ("1d", 86400),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1", "1 h", "1x", "five", "1e3", "\u0661s", "inf"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_duration_beyond_reason() -> None:
    with pytest.raises(ValueError, match="is too long"):
        parse_duration("99999999999d")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.6, "1 s"),
        (119.4, "119 s"),
        (119.5, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (2 * 86400 - 1, "47 h"),
        (2 * 86400, "2 days"),
        (5000 * 86400, "5,000 days"),
    ],
)
def test_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
