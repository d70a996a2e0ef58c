"""The name of a container image, as it is written on a command line. Pure."""

from __future__ import annotations

import re

from agtool.core.errors import UsageError

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"


def parse_image(option: str, text: str) -> str:
    """Check that a text can be the name of an image: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.

    Source: github.com/distribution/reference, which the container runtimes follow.

    Raises:
        UsageError: it cannot.
    """
    name, at, digest = text.partition("@")
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = f"{folder}{slash}{last}"
    if re.search(r"\s", text):
        problem = "it contains white space"
    elif at and not re.fullmatch(r"[A-Za-z][A-Za-z0-9.+_-]*:[0-9a-fA-F]{32,}", digest):
        problem = f"{digest!r} is not a digest such as sha256:0123..."
    elif colon and not re.fullmatch(r"\w[\w.-]{0,127}", tag, re.ASCII):
        problem = f"{tag!r} is not a tag"
    elif re.fullmatch(rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*", repository):
        if len(repository) <= 255:
            return text
        problem = "it is longer than 255 characters"
    elif re.search(r"[A-Z]", repository.partition("/")[2] or repository):
        problem = "a repository has no upper-case letters"
    else:
        problem = f"{repository!r} is not a repository"
    raise UsageError(
        f"{option} {text!r} is not a valid image: {problem}",
        hint="Write [REGISTRY/]REPOSITORY[:TAG], such as python:3.13 or registry.example/tools:1.",
    )
