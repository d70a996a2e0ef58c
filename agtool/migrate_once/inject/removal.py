"""A workload without what agtool has added to it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agtool.core.text import read_json
from agtool.core.yamltext import NotYaml, Path
from agtool.migrate_once.inject.additions import (
    ANNOTATION,
    INIT,
    MIGRATE,
    VOLUMES,
    is_ours,
    is_wrapped,
    own_words,
)
from agtool.migrate_once.inject.cutting import cut_items, cut_key
from agtool.migrate_once.inject.nodes import Stop, entry, walk
from agtool.migrate_once.inject.operation import unshared
from agtool.migrate_once.inject.problem import ManifestError
from agtool.migrate_once.inject.reading import at, canonical, read
from agtool.migrate_once.inject.splice import Edit, Replaced, edited, value_span
from agtool.migrate_once.workload import Kind

_ANNOTATIONS: Path = ("metadata", "annotations")


class Wrapped(NamedTuple):
    """What an init container was before it was wrapped.

    Attributes:
        container: its name, which keeps what others have wrapped by hand from being unwrapped.
        command: null: it had none.
        env: whether POD_NAME was added.
    """

    container: str
    command: Sequence[str] | None
    env: bool


class Record(NamedTuple):
    """What the annotation holds.

    Attributes:
        replaced: with the path from the workload, in which the container that is wrapped stands
            by its name: its number changes with `agtool-install`, and with what others add.
    """

    wrapped: Wrapped | None = None
    replaced: Sequence[Replaced] = ()

    def dumped(self) -> str:
        """As text, in ASCII."""
        held: dict[str, Any] = {}
        if self.wrapped:
            held["wrapped"] = self.wrapped._asdict()
        if self.replaced:
            held["replaced"] = [[list(path), text] for path, text in self.replaced]
        return json.dumps(held)


def record_of(workload: Mapping[str, Any]) -> Record:
    """The record of a workload; an empty one, if it has none that can be read."""
    annotations = (workload.get("metadata") or {}).get("annotations") or {}
    try:
        held = read_json(annotations[ANNOTATION])
        wrapped = held.get("wrapped")
        return Record(
            Wrapped(**wrapped) if wrapped else None,
            [Replaced(tuple(path), text) for path, text in held.get("replaced", ())],
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Record()


def is_injected(workload: Any, kind: Kind) -> bool:
    """Whether agtool has added something to it."""
    if ANNOTATION in (at(workload, _ANNOTATIONS) or {}):
        return True
    spec = at(workload, kind.spec)
    if not isinstance(spec, Mapping):
        return False
    return any(is_ours(each) for path in (INIT, VOLUMES) for each in _list(at(spec, path)))


def wrapped(workload: Any, kind: Kind) -> str | None:
    """The init container that the record says is wrapped, and is; None: there is none."""
    record = record_of(workload)
    found = _wrapped(at(workload, (*kind.spec, *INIT)), record)
    return record.wrapped.container if record.wrapped and found is not None else None


def _wrapped(containers: Any, record: Record) -> int | None:
    for number in _named(containers, record.wrapped.container) if record.wrapped else ():
        if is_wrapped(containers[number]) and not is_ours(containers[number]):
            return number
    return None


def removed(text: str, where: Path, kind: Kind) -> str:
    """The text with a workload as it was before; of one that was not changed, the same text.

    Args:
        where: the path to the workload.

    Raises:
        ManifestError: no way was found that leaves everything else as it is.
    """
    root, data = read(text)
    workload = at(data, where)
    if not is_injected(workload, kind):
        return text
    record = record_of(workload)
    _refuse_other_users(workload, kind, record)
    # What was replaced cannot be put back if another program has written the text anew since.
    for replaced in (record.replaced, ()) if record.replaced else ((),):
        own = record._replace(replaced=replaced)
        new = edited(text, _edits(text, root, data, where, kind, own))
        expected = _without(data, where, kind, own)
        try:
            found = read(new)[1]
        except NotYaml:
            continue
        back = [(*where, *path) for path, _ in _placed(at(expected, where), replaced)]
        # What has been put into them since, by hand, is not to be lost.
        if canonical(found, back) == canonical(expected, back) and all(
            canonical(_filled(at(found, path))) == canonical(_filled(at(expected, path)))
            for path in back
        ):
            return new
    raise ManifestError(
        "what agtool added cannot be taken out without changing anything else",
        hint=f"Take out the init containers, the volume {MIGRATE} and the annotation {ANNOTATION} "
        "by hand.",
    )


def _edits(  # noqa: PLR0917  # all that is known of it
    text: str, root: Any, data: Any, where: Path, kind: Kind, record: Record
) -> Iterator[Edit]:
    covered = []
    for path, before in _placed(at(data, where), record.replaced):
        mapping = walk(root, (*where, *path[:-1]), "mapping")
        found = None if isinstance(mapping, Stop) else entry(mapping, str(path[-1]))
        if found and before is None:
            yield cut_key(text, mapping, found)
        elif found:
            yield Edit(*value_span(text, found), before or "")
        covered.append((*where, *path))
    for path, chosen in _cuts(data, where, kind, record):
        if not any(path[: len(each)] == each for each in covered):
            yield from _cut(text, root, path, chosen)


def _placed(workload: Any, replaced: Sequence[Replaced]) -> Iterator[Replaced]:
    """The same with the number of a container in the place of its name."""
    for path, text in replaced:
        made: Path = ()
        for step in path:
            there = at(workload, made)
            if isinstance(there, list):
                numbers = _named(there, step)
                if not numbers:
                    break
                made = (*made, numbers[0])
            else:
                made = (*made, step)
        else:
            yield Replaced(made, text)


def _filled(value: Any) -> Any:
    """A value without what is empty or null in it."""
    if isinstance(value, list):
        return [_filled(each) for each in value] or None
    if isinstance(value, dict):
        made = {key: _filled(each) for key, each in value.items()}
        return {key: each for key, each in made.items() if each is not None} or None
    return value


def _refuse_other_users(workload: Any, kind: Kind, record: Record) -> None:
    """Raise ManifestError if a container that was not added needs what would be taken out."""
    spec = at(workload, kind.spec)
    if not any(is_ours(each) for each in _list(at(spec, VOLUMES))):
        return
    own = _wrapped(at(spec, INIT), record)
    for field in ("initContainers", "containers"):
        for number, each in enumerate(_list(at(spec, (field,)))):
            if (field, number) == (*INIT, own) or is_ours(each) or not isinstance(each, Mapping):
                continue
            if _named(each.get("volumeMounts"), MIGRATE):
                raise ManifestError(
                    f"the container {each.get('name')} uses the volume {MIGRATE}, which would be "
                    f"taken out, and no annotation {ANNOTATION} says that agtool has wrapped it",
                    hint="If that is lost, take agtool's words (up to --) out of its command by "
                    "hand, and the volume out of its volumeMounts. If the container is yours, "
                    "give it a volume of another name.",
                )


def _cut(text: str, root: Any, path: Path, chosen: Sequence[int] | str) -> Iterator[Edit]:
    """Cut items out of a list, or a key out of a mapping; with it, what would be left empty."""
    node = walk(root, path, "mapping" if isinstance(chosen, str) else "sequence")
    if isinstance(node, Stop):
        return
    if len(node.value) == (1 if isinstance(chosen, str) else len(chosen)):
        parent = walk(root, path[:-1], "mapping")
        found = None if isinstance(parent, Stop) else entry(parent, str(path[-1]))
        if found:
            yield cut_key(text, parent, found)
    elif isinstance(chosen, str):
        found = entry(node, chosen)
        if found:
            yield cut_key(text, node, found)
    else:
        for first, last in _runs(chosen):
            yield cut_items(text, node, first, last)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Numbers in order as runs of those that follow each other."""
    first = None
    for n in numbers:
        first = n if first is None else first
        if n + 1 not in numbers:
            yield first, n
            first = None


def _cuts(
    data: Any, where: Path, kind: Kind, record: Record
) -> Iterator[tuple[Path, Sequence[int] | str]]:
    """What is to be cut out: items of a list by their numbers, or a key."""
    base = (*where, *kind.spec)
    containers = at(data, (*base, *INIT))
    number = _wrapped(containers, record)
    if record.wrapped and number is not None:
        each, there = containers[number], (*base, *INIT, number)
        # One that had no command has got all of its words from agtool.
        had = record.wrapped.command is not None
        yield (*there, "command"), range(own_words(each) if had else len(each["command"]))
        yield (*there, "volumeMounts"), _named(each.get("volumeMounts"), MIGRATE)
        if record.wrapped.env:
            yield (*there, "env"), _named(each.get("env"), "POD_NAME")
    for path in (INIT, VOLUMES):
        items = _list(at(data, (*base, *path)))
        yield (*base, *path), [i for i, each in enumerate(items) if is_ours(each)]
    annotations: Path = (*where, *_ANNOTATIONS)
    if ANNOTATION in (at(data, annotations) or {}):
        yield annotations, ANNOTATION


def _named(items: Any, name: object) -> list[int]:
    return [
        i
        for i, each in enumerate(_list(items))
        if isinstance(each, Mapping) and each.get("name") == name
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _without(data: Any, where: Path, kind: Kind, record: Record) -> Any:
    """The object without what is to be cut out."""
    made = unshared(data)
    for path, chosen in _cuts(data, where, kind, record):
        if isinstance(chosen, str):
            del at(made, path)[chosen]
        else:
            there = at(made, path)
            for number in sorted(chosen, reverse=True):
                del there[number]
            if not chosen:
                continue
        if not at(made, path):
            del at(made, path[:-1])[path[-1]]
    return made
