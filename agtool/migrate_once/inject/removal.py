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


class Wrapped(NamedTuple):
    """What an init container was before it was wrapped.

    Attributes:
        command: null: it had none.
        env: whether POD_NAME was added.
    """

    container: str
    command: Sequence[str] | None
    env: bool


class Record(NamedTuple):
    """What the annotation holds."""

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
    spec = at(workload, kind.spec)
    if not isinstance(spec, Mapping):
        return False
    containers = spec.get("initContainers")
    return any(is_ours(each) or is_wrapped(each) for each in _list(containers)) or any(
        is_ours(each) for each in _list(spec.get("volumes"))
    )


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
    # What was replaced cannot be put back if another program has written the text anew since.
    for replaced in (record.replaced, ()) if record.replaced else ((),):
        own = record._replace(replaced=replaced)
        new = edited(text, _edits(text, root, data, where, kind, own))
        expected = _without(data, where, kind, own)
        try:
            found = read(new)[1]
        except NotYaml:
            continue
        gone = [(*where, *path) for path, _ in replaced]
        if canonical(found, gone) == canonical(expected, gone):
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
    for path, before in record.replaced:
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
    containers = _list(at(data, (*base, *INIT)))
    for number, each in enumerate(containers):
        if is_wrapped(each) and not is_ours(each):
            there: Path = (*base, *INIT, number)
            yield (*there, "command"), range(own_words(each))
            yield (*there, "volumeMounts"), _named(each.get("volumeMounts"), MIGRATE)
            if record.wrapped and record.wrapped.env:
                yield (*there, "env"), _named(each.get("env"), "POD_NAME")
    for path in (INIT, VOLUMES):
        items = _list(at(data, (*base, *path)))
        yield (*base, *path), [i for i, each in enumerate(items) if is_ours(each)]
    annotations: Path = (*where, "metadata", "annotations")
    if ANNOTATION in (at(data, annotations) or {}):
        yield annotations, ANNOTATION


def _named(items: Any, name: str) -> list[int]:
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
