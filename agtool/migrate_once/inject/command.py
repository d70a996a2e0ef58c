"""COMMAND as a person writes it: words, and what only a shell would understand. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from agtool.core.errors import UsageError
from agtool.core.text import is_utf_8

_SHELLS = {"sh", "bash", "ash", "dash", "ksh", "zsh", "busybox", "pwsh"}
_OPERATORS = {"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1", "2>", "&>"}
_EXPANSION = re.compile(r"\$[A-Za-z_{(0-9?#@*!$]")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def split_command(text: str) -> list[str]:
    """The words of `--command`, as a shell would split them.

    Raises:
        UsageError: a quote is not closed, or it needs a shell.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"--command {text!r} cannot be split into words: {error}",
            hint="Close the quotation, or give COMMAND word by word behind --.",
        ) from error
    if not words:
        raise UsageError("--command is empty", hint="Is a variable of the shell unset?")
    check_utf8("--command", text)
    if found := _shell_syntax(text):
        raise _needs_shell(found, f"--command {shlex.quote('sh -c ' + shlex.quote(text))}")
    return words


def check_words(words: Sequence[str]) -> list[str]:
    """The words of COMMAND behind `--`.

    Raises:
        UsageError: it needs a shell, or one is not UTF-8 text.
    """
    for word in words:
        check_utf8("a word of COMMAND", word)
    if words[0].rpartition("/")[2] in _SHELLS:
        return list(words)
    whole = f"-- sh -c {shlex.quote(' '.join(words))}"
    if re.search(r"\s", words[0].strip()) or not words[0].strip():
        if found := _shell_syntax(words[0]):
            raise _needs_shell(found, whole)
        raise UsageError(
            f"{words[0]!r} is one word, so that it would be the name of a program",
            hint=f"Write: -- {words[0].strip()}" if words[0].strip() else "Name a program.",
        )
    if _ASSIGNMENT.match(words[0]):
        raise _needs_shell(words[0], whole)
    for word in words:
        if word in _OPERATORS or re.fullmatch(r"\$(\w+|\{\w+\})", word):
            raise _needs_shell(word, whole)
    return list(words)


def check_utf8(what: str, text: str) -> None:
    """Raise UsageError if a text, which `what` names, cannot stand in a manifest."""
    if not is_utf_8(text):
        raise UsageError(f"{what} is not UTF-8 text", hint="Write it in UTF-8.")


def _needs_shell(what: str, instead: str) -> UsageError:
    return UsageError(
        f"{what!r} in COMMAND is for a shell, and COMMAND runs without one",
        hint=f"If the image has a shell, which agtool cannot see: {instead}\n"
        "Where it is no syntax, put it in quotes. A variable of the container is $(NAME) behind "
        "--, which Kubernetes puts in.",
    )


def _shell_syntax(text: str) -> str:  # a scanner: one branch a character
    """What of a text only a shell understands; empty: nothing."""
    quote, at, start = "", 0, True
    while at < len(text):
        char = text[at]
        if quote == "'":
            quote = "" if char == "'" else quote
        elif char == "\\":
            at += 1
        elif char == "`":
            return "`"
        elif char == "$" and (found := _EXPANSION.match(text, at)):
            word = re.match(r"\$(?:\{[^}]*\}|\([^)]*\)|\w+|.)", text[at:])
            return word[0] if word else found[0]
        elif quote:
            quote = "" if char == '"' else quote
        elif char in "'\"":
            quote = char
        elif char in "|&;<>()\n":
            return text[at : at + 2] if text[at : at + 2] in _OPERATORS else char
        elif char == "*" or (start and char in "~#"):
            return char
        start = not quote and char in " \t"
        at += 1
    found_assignment = _ASSIGNMENT.match(text.lstrip())
    return found_assignment[0] if found_assignment else ""
