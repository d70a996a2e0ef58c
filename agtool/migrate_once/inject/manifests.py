"""The workloads of some texts, and the one that is meant. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from agtool.core.yamltext import NotYaml, Path, as_kubernetes, parsed
from agtool.migrate_once.inject.nodes import (
    end_of_item,
    entries,
    line_end,
    line_start,
    start_of_item,
)
from agtool.migrate_once.inject.problem import ManifestError, Place
from agtool.migrate_once.inject.stream import spans
from agtool.migrate_once.workload import KINDS, Kind, Wanted, kind_of


class File(NamedTuple):
    """A text with its name."""

    name: str
    text: str


@dataclass(frozen=True)
class Workload:
    """A workload where it stands.

    Attributes:
        file: its number among the files.
        start: of the piece of the text that is read alone: its document, or its item of a List.
        end: of that piece.
        where: the path to the workload in that piece.
        line: the line of the file in which that piece begins, from 1.
        place: of the workload, for people.
        is_hook: whether Helm runs it, such as a test.
    """

    file: int
    start: int
    end: int
    where: Path
    line: int
    place: Place
    kind: Kind
    name: str
    is_hook: bool


def workloads(files: Sequence[File]) -> list[Workload]:
    """All workloads.

    Raises:
        ManifestError: a document is not YAML.
    """
    return [each for number, file in enumerate(files) for each in _of_file(number, file)]


def _of_file(number: int, file: File) -> Iterator[Workload]:
    line, counted = 1, 0
    for document, (start, end) in enumerate(spans(file.text), 1):
        line += file.text.count("\n", counted, start)
        counted = start
        text = file.text[start:end]
        place = Place(file.name, document, line)
        try:
            for node, _ in parsed(text, as_kubernetes()):
                blank = Workload(number, start, end, (), line, place, KINDS[0], "", False)
                yield from _below(blank, text, node)
        except NotYaml as error:
            raise not_yaml(error, text, place) from error


def not_yaml(error: NotYaml, text: str, place: Place) -> ManifestError:
    """The error for a document that cannot be read. place: of its first line."""
    lines = text.rstrip("\n").count("\n") + 1
    place = place._replace(line=place.line + min(error.line or 1, lines) - 1)
    if "{{" in text:
        return ManifestError(
            f"it is a template that was not rendered, so that it is not YAML yet: {error.problem}",
            hint="Render it first: helm template RELEASE CHART | agtool migrate-once inject ...",
            place=place,
        )
    return ManifestError(
        f"it is not YAML: {error.problem}",
        hint="Correct it, or leave it out.",
        place=place,
    )


def _below(document: Workload, text: str, node: Any) -> Iterator[Workload]:
    """The workloads in a node of a document, of which a List has several.

    Args:
        document: what is known of all of them.
    """
    if node.id != "mapping":
        return
    fields = _scalars(node)
    if fields.get("kind", "").endswith("List"):
        items = next((each.value for name, each in entries(node) if name == "items"), None)
        for i, item in enumerate(items.value if items and items.id == "sequence" else ()):
            inner = replace(document, where=(*document.where, "items", i))
            for found in _below(inner, text, item):
                yield _alone(found, text, items, i) if document.where == () else found
        return
    kind = kind_of(fields.get("apiVersion", ""), fields.get("kind", ""))
    if kind is None:
        return
    metadata = next((each.value for name, each in entries(node) if name == "metadata"), None)
    about = _scalars(metadata) if metadata is not None and metadata.id == "mapping" else {}
    name = about.get("name") or about.get("generateName", "")
    line = document.line + node.start_mark.line
    place = document.place._replace(line=line, name=f"{kind.name}/{name}")
    if "{{" in name:
        raise not_yaml(NotYaml(f"its name is {name}"), text, place)
    yield replace(document, place=place, kind=kind, name=name, is_hook=_is_hook(metadata))


_SMALL = 200_000
"""Characters that are read again without being felt."""


def _alone(found: Workload, text: str, items: Any, at: int) -> Workload:
    """The same with a piece that is its item of a List only, if that can be read alone.

    A List of thousands would be read several times otherwise. Not where an anchor is: others may
    use it, or it may be another one's.
    """
    if len(text) < _SMALL or len(found.where) != 2:
        return found
    start, end = start_of_item(text, items, at), end_of_item(text, items, at)
    where: Path = ()
    if not items.flow_style:
        start, end, where = line_start(text, start), line_end(text, end), (0,)
    if "&" in text[start:end] or "*" in text[start:end]:
        return found
    mark = items.value[at].start_mark
    return replace(
        found,
        start=found.start + start,
        end=found.start + end,
        where=where,
        # Counted from the text's beginning, thousands of items would take minutes.
        line=found.line + mark.line - text.count("\n", start, mark.index),
    )


def _scalars(mapping: Any) -> dict[str, str]:
    return {
        name: each.value.value
        for name, each in entries(mapping)
        if isinstance(each.value.value, str)
    }


def _is_hook(metadata: Any) -> bool:
    if metadata is None or metadata.id != "mapping":
        return False
    for name, each in entries(metadata):
        if name == "annotations" and each.value.id == "mapping":
            return any(key == "helm.sh/hook" for key, _ in entries(each.value))
    return False


def choose_workload(found: Sequence[Workload], wanted: Wanted | None) -> Workload:
    """The workload that is meant.

    Raises:
        ManifestError: it is not there, is there twice, or nothing says which of several it is.
    """
    if wanted is not None:
        named = [each for each in found if (each.kind, each.name) == wanted]
        if len(named) == 1:
            return named[0]
        if named:
            raise _more_than_once(named)
        raise ManifestError(f"there is no {wanted}", hint=_listed(found))
    # Pods that run beside a chart's workload, such as its tests, are not what is meant.
    serving = [each for each in found if not each.is_hook and each.kind.name != "Pod"]
    meant = serving or [each for each in found if not each.is_hook] or list(found)
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise ManifestError("there is no workload", hint=_listed(found))
    if len(_names(meant)) == 1:
        raise _more_than_once(meant)
    raise ManifestError(
        "there are several workloads",
        hint=f"Say which one with --workload KIND/NAME. {_listed(meant)}",
    )


def _more_than_once(found: Sequence[Workload]) -> ManifestError:
    """The error for workloads of one name, such as in two namespaces."""
    return ManifestError(
        f"{found[0].kind.name}/{found[0].name} is there {_so_often(len(found))}: "
        + "; ".join(map(_where, found)),
        hint="Give agtool the manifests of one of them only.",
    )


def _so_often(times: int) -> str:
    return "twice" if times == 2 else f"{times} times"


def _names(found: Sequence[Workload]) -> Counter[str]:
    return Counter(f"{each.kind.name}/{each.name}" for each in found)


def _listed(found: Sequence[Workload]) -> str:
    if not found:
        return "A Deployment, StatefulSet, DaemonSet, Job, CronJob, Rollout or Pod is needed."
    names = [
        name if times == 1 else f"{name} ({_so_often(times)})"
        for name, times in _names(found).items()
    ]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"There are: {', '.join(names[:20])}{more}."


def _where(found: Workload) -> str:
    return str(found.place._replace(name=""))
