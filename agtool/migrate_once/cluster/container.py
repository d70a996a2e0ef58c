"""Which container of a pod runs agtool, and the command that asks it. Pure.

What stands in a pod's specification tells it: $(NAME) in its words is what the kubelet replaces.
Where the words do not tell it, since a script or the image has them, the agtool that is asked
looks for the one that runs beside it (--like-running).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from agtool.migrate_once.words import PROGRAMS, split

if TYPE_CHECKING:
    from agtool.core.kube.session import Json

Options = Callable[[Sequence[str]], dict[str, str | None]]
"""The options of an agtool that have an effect with --status, from its arguments."""

LIKE_RUNNING = "--like-running"

_BY_NAME = ("--database-url", "--host", "--port", "--user", "--database")
"""Options beside which there is another, with -env, that names a variable."""

_REFERENCE = re.compile(r"\$\$|\$\(([-._A-Za-z0-9]+)\)")


_IN_SCRIPT = re.compile(
    r"(?:^|[\s'\"=;&|(])([^\s'\"=;&|(]*agtool)['\"]?\s+(?:--debug\s+)?migrate-once\b"
)


class Candidate(NamedTuple):
    """A container that runs agtool, or may run it.

    Attributes:
        container: its name.
        programs: what to begin the command with, each until one is there.
        options: for `migrate-once --status`.
        sure: whether its words say that it runs agtool.
        refusal: why it is not to be asked; empty: it is.
    """

    container: str
    programs: tuple[tuple[str, ...], ...]
    options: tuple[str, ...]
    sure: bool = True
    refusal: str = ""

    def commands(self, own: Sequence[str]) -> Iterator[list[str]]:
        """What to run in the container; own: more options."""
        for program in self.programs:
            yield [*program, "migrate-once", "--status", *self.options, *own]


def candidates(pod: Json, options: Options) -> list[Candidate]:
    """The containers of a pod that run agtool; if none says so, those that may."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    found = [made for each in containers if (made := _candidate(each, options))]
    return found or [
        _unknown(each["name"], ()) for each in containers if not each.get("restartPolicy")
    ]


def _candidate(container: Json, options: Options) -> Candidate | None:
    name = container["name"]
    known = _known(container)
    command, args = container.get("command") or [], container.get("args") or []
    raw = [*command, *args]
    words = [_expanded(word, known) for word in raw]
    if not command and "migrate-once" in words[:3]:  # the image's entrypoint is agtool
        arguments = words[words.index("migrate-once") + 1 :]
        return _asked(name, tuple((each,) for each in PROGRAMS), arguments, options)
    parts = split(words)
    if parts:
        return _asked(name, (tuple(parts[0]),), parts[1], options)
    if found := _IN_SCRIPT.search(" ".join(words)):
        return _unknown(name, (found[1],), sure=True)
    return None


def _asked(
    name: str, programs: tuple[tuple[str, ...], ...], arguments: list[str], options: Options
) -> Candidate:
    """How to ask an agtool whose arguments are known."""
    made: dict[str, str | None] = {}
    for option, value in options(arguments).items():
        reference = _REFERENCE.fullmatch(value or "")
        if value is None or not _has_reference(value):
            made[option] = value and value.replace("$$", "$")
        elif option in _BY_NAME and reference and reference[1]:
            made[f"{option}-env"] = reference[1]
        elif option not in ("--key", "--name"):
            return _unknown(name, (), programs=programs, sure=True)
        else:
            made["--key"] = None
    if "--key" in made and not (made.get("--key") and made.get("--name", "default")):
        made.pop("--key")
    if "--key" not in made:
        made.pop("--name", None)
    url = made.get("--database-url") or ""
    if "@" in url or "password" in url.lower():
        return Candidate(
            name,
            programs,
            (),
            refusal="its --database-url may hold a password, which would stand in the API server's "
            "log if it was asked with it: give it as --database-url-env instead",
        )
    words = (key if value is None else f"{key}={value}" for key, value in made.items())
    return Candidate(name, programs, tuple(words))


def _unknown(
    name: str,
    first: tuple[str, ...],
    *,
    programs: tuple[tuple[str, ...], ...] = (),
    sure: bool = False,
) -> Candidate:
    """How to ask a container whose agtool's options nobody knows here."""
    named = programs or tuple((each,) for each in dict.fromkeys((*first, *PROGRAMS)))
    return Candidate(name, named, (LIKE_RUNNING,), sure)


def _known(container: Json) -> Mapping[str, str]:
    """The variables whose values stand in the specification."""
    known: dict[str, str] = {}
    for each in container.get("env") or ():
        value: Any = each.get("value")
        known.pop(each.get("name", ""), None)
        if each.get("valueFrom") is None and not _has_reference(value or ""):
            known[each["name"]] = value or ""
    return known


def _expanded(word: str, known: Mapping[str, str]) -> str:
    """A word as the kubelet makes it, as far as its variables are known; $$ stays."""
    return _REFERENCE.sub(lambda found: known.get(found[1] or "", found[0]), word)


def _has_reference(text: str) -> bool:
    return any(found[1] for found in _REFERENCE.finditer(text))
