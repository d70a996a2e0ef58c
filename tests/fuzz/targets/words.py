"""Durations, images, commands, YAML texts: a value, or the error that the caller knows."""

from contextlib import suppress

from agtool.core.duration import parse_duration
from agtool.core.errors import AgtoolError, UsageError
from agtool.core.image import parse_image
from agtool.core.yamltext import NotYaml, as_kubernetes, parsed
from agtool.migrate_once.inject.command import split_command


def check(data: bytes) -> None:
    """A text."""
    text = data.decode(errors="replace")
    with suppress(ValueError):
        assert 0 <= parse_duration(text) <= 366 * 86400
    with suppress(UsageError):
        assert parse_image("--image", text) == text
    with suppress(AgtoolError):
        assert all(isinstance(word, str) for word in split_command(text))
    for loader in (None, as_kubernetes()):
        with suppress(NotYaml):
            for node, value_of in parsed(text, loader):
                value_of(node)
