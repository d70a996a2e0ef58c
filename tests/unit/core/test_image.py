"""What can be the name of an image, and what is wrong with the rest."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import UsageError
from agtool.core.image import parse_image

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:3.13-slim_x",
        "docker.io/library/alpine:3.23.0",
        "localhost:5000/a/b__c/d--e.f:1",
        "127.0.0.1:1/nothing:1",
        "[::1]:5000/tools",
        "Registry.Example/tools",
        f"registry.example:5000/agilicus/pause:1@{DIGEST}",
        f"python@{DIGEST}",
    ],
)
def test_images(image: str) -> None:
    assert parse_image("--image", image) == image


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("foo bar", "white space"),
        ("python\n", "white space"),
        ("", "not a repository"),
        ("Python:3", "upper-case"),
        ("registry.example/Tools", "upper-case"),
        ("python:", "not a tag"),
        ("a:b:c", "not a tag"),
        ("python:\udcff", "not a tag"),
        ("python@sha256:0", "not a digest"),
        ("python@", "not a digest"),
        ("https://registry.example/tools", "not a repository"),
        ("a//b", "not a repository"),
        ("-x", "not a repository"),
        ("a/" * 130 + "a", "longer than 255"),
    ],
)
def test_what_cannot_be_an_image_is_refused_with_what_is_wrong(image: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as raised:
        parse_image("--tools", image)
    assert raised.value.message.startswith("--tools ")
    assert raised.value.hint


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert parse_image("--image", text) == text
