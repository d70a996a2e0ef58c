"""The text of one document with a workload changed, proved both ways. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agtool.core.yamltext import NotYaml, Path
from agtool.migrate_once.inject.additions import ANNOTATION, Wish, additions, listed
from agtool.migrate_once.inject.choice import (
    check_database,
    check_pod,
    choose,
    choose_key,
)
from agtool.migrate_once.inject.nodes import Stop, start_of_item, walk
from agtool.migrate_once.inject.operation import Put, applied
from agtool.migrate_once.inject.problem import ManifestError
from agtool.migrate_once.inject.reading import at, canonical, read
from agtool.migrate_once.inject.removal import Record, Wrapped, removed, wrapped
from agtool.migrate_once.inject.splice import Replaced, Splice, edited
from agtool.migrate_once.inject.writing import as_written
from agtool.migrate_once.workload import Kind, is_template_of_another


class Injected(NamedTuple):
    """A text with a workload changed.

    Attributes:
        container: whose image runs COMMAND.
        key: for which it runs once.
    """

    text: str
    container: str
    image: str
    key: str


def injected(text: str, where: Path, kind: Kind, wish: Wish) -> Injected:
    """The text of a document in which a workload runs COMMAND once.

    Args:
        where: the path to the workload.

    Raises:
        ManifestError: the workload is not such that it can be done, or no place was found for
            what is to be added.
        NotYaml
    """
    if "agtool" in text:
        _refuse_to_unwrap(at(read(text)[1], where), kind, wish)
    text = removed(text, where, kind)
    root, data = read(text)
    workload = at(data, where)
    spec = _spec(workload, kind)
    check_pod(spec)
    pods = at(workload, (*kind.spec[:-1], "metadata", "annotations"))
    base = choose(spec, pods if isinstance(pods, Mapping) else {}, wish)
    check_database(base, wish.variables, told=wish.told)
    key = choose_key(base, wish)
    path = (*where, *kind.spec)
    field = "initContainers" if wish.init_container else "containers"
    number = next(i for i, each in enumerate(spec[field]) if each is base)
    written = at(as_written(_unit(root, where)), kind.spec)
    operations = additions(spec, path, wish, base, key)
    pieces = additions(written, path, wish, written[field][number], key)
    splice = Splice(text, root, _dash(text, root, path))
    edits, replaced = splice.edits(pieces)
    if replaced or wish.init_container:
        put = Put((*where, "metadata", "annotations"), ANNOTATION, "")
        replaced = splice.edits([*pieces, put])[1]
        within = [Replaced(_by_name(path[len(where) :], wish), was) for path, was in replaced]
        put = put._replace(value=Record(_was(base, wish), within).dumped())
        edits, _ = splice.edits([*pieces, put])
        operations.append(put)
    new = edited(text, edits)
    _prove(text, new, applied(data, operations), where, kind)
    return Injected(new, str(base.get("name")), str(base["image"]), key)


def _refuse_to_unwrap(workload: Any, kind: Kind, wish: Wish) -> None:
    """Raise ManifestError if an init container would be unwrapped that is not the one meant."""
    name = wrapped(workload, kind)
    if name is not None and name != wish.init_container:
        raise ManifestError(
            f"its init container {name} is wrapped already, and would be no more",
            hint="Take that back first, with --remove; or change its options, with "
            f"--init-container {name}.",
        )


def _by_name(path: Path, wish: Wish) -> Path:
    """The same with the name of the container that is wrapped in the place of its number."""
    return tuple(wish.init_container or "" if isinstance(step, int) else step for step in path)


def _spec(workload: Any, kind: Kind) -> Mapping[str, Any]:
    spec = at(workload, kind.spec)
    if isinstance(spec, Mapping):
        return spec
    if other := is_template_of_another(workload):
        raise ManifestError(
            f"its pods are described in {other} (workloadRef)",
            hint=f"Name that: --workload {other}",
        )
    raise ManifestError(f"it has no {'.'.join(map(str, kind.spec))}", hint="Correct the manifest.")


def _unit(root: Any, where: Path) -> Any:
    """The node of a workload."""
    for step in where:
        root = root.value[step] if isinstance(step, int) else dict_of(root)[step]
    return root


def dict_of(mapping: Any) -> dict[str, Any]:
    """The nodes of a mapping's values."""
    return {key.value: value for key, value in mapping.value if isinstance(key.value, str)}


def _dash(text: str, root: Any, path: Path) -> int:
    """By how many columns the items of a list stand behind its key, in this manifest."""
    node = walk(root, (*path, "containers"), "sequence")
    parent = walk(root, path, "mapping")
    if isinstance(node, Stop) or isinstance(parent, Stop) or node.flow_style:
        return 2
    start = start_of_item(text, node, 0)
    own = start - (text.rfind("\n", 0, start) + 1)
    return max(0, own - int(parent.value[0][0].start_mark.column))


def _was(base: Mapping[str, Any], wish: Wish) -> Wrapped | None:
    if wish.init_container is None:
        return None
    named = any(each.get("name") == "POD_NAME" for each in listed(base, "env"))
    return Wrapped(wish.init_container, base.get("command") or None, not named)


def _prove(before: str, after: str, expected: Any, where: Path, kind: Kind) -> None:
    """Raise ManifestError unless the new text means what it should, and can be undone."""
    try:
        right = canonical(read(after)[1]) == canonical(expected)
    except NotYaml:
        right = False
    if not right or removed(after, where, kind) != before:
        raise ManifestError(
            "no place was found in it where lines can be added without changing anything else",
            hint="An anchor (&) that is used elsewhere may be why, or a list in an unusual form. "
            "Write the pods' specification out, with a line for each key.",
        )
