"""One run of `inject`: the workload that is meant, changed or changed back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Literal, NamedTuple, TypeVar

from agtool.core.yamltext import NotYaml, uncollected
from agtool.migrate_once.documents import InjectedWorkload
from agtool.migrate_once.inject.additions import Wish
from agtool.migrate_once.inject.change import Injected, injected
from agtool.migrate_once.inject.manifests import (
    File,
    Workload,
    choose_workload,
    not_yaml,
    workloads,
)
from agtool.migrate_once.inject.problem import ManifestError
from agtool.migrate_once.inject.removal import removed
from agtool.migrate_once.workload import Wanted

Action = Literal["injected", "removed", "unchanged"]
Changed = TypeVar("Changed")


class Outcome(NamedTuple):
    """What became of some files.

    Attributes:
        texts: the new text of each.
    """

    texts: list[str]
    workloads: list[InjectedWorkload]


@uncollected()
def inject(files: Sequence[File], wanted: Wanted | None, wish: Wish) -> Outcome:
    """The files with one workload changed.

    Raises:
        ManifestError: it is not there, or cannot be changed.
    """
    found = choose_workload(workloads(files), wanted)
    texts = [each.text for each in files]
    text = texts[found.file]
    piece = text[found.start : found.end]
    done = _placed(found, piece, lambda: injected(piece, found.where, found.kind, wish))
    texts[found.file] = text[: found.start] + done.text + text[found.end :]
    action: Action = "unchanged" if done.text == piece else "injected"
    return Outcome(texts, [_told(found, files, action, done)])


@uncollected()
def remove(files: Sequence[File], wanted: Wanted | None) -> Outcome:
    """The files without what agtool has added: to one workload, or to all.

    Raises:
        ManifestError: it is not there, or cannot be taken out.
    """
    found = workloads(files)
    chosen = [choose_workload(found, wanted)] if wanted else found
    texts = [each.text for each in files]
    told = []
    # From the end, so that the places of those before stay as they are.
    for (number, start, end), group in groupby(
        reversed(chosen), key=lambda each: (each.file, each.start, each.end)
    ):
        text = texts[number]
        piece = text[start:end]
        for each in group if "agtool" in piece else ():
            new = _placed(each, piece, partial(removed, piece, each.where, each.kind))
            if new != piece:
                told.append(_told(each, files, "removed", None))
            piece = new
        texts[number] = text[:start] + piece + text[end:]
    if wanted and not told:
        told.append(_told(chosen[0], files, "unchanged", None))
    return Outcome(texts, told[::-1])


def _placed(found: Workload, piece: str, change: Callable[[], Changed]) -> Changed:
    """What a change gives; its errors get their place."""
    try:
        return change()
    except ManifestError as error:
        line = error.place.line if error.place else 0
        place = found.place._replace(line=found.line + line - 1) if line else found.place
        raise ManifestError(error.problem, hint=error.hint, place=place) from error
    except RecursionError as error:
        raise ManifestError("it holds itself, behind an anchor (&)", place=found.place) from error
    except NotYaml as error:
        raise not_yaml(error, piece, found.place._replace(line=found.line)) from error
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        # A text, say, where an object belongs: in a cluster the API server would have refused it.
        raise ManifestError(
            "it has another form than Kubernetes gives it",
            hint="Correct it: kubectl apply --dry-run=server tells where.",
            place=found.place,
        ) from error


def _told(
    found: Workload, files: Sequence[File], action: Action, done: Injected | None
) -> InjectedWorkload:
    return InjectedWorkload(
        f"{found.kind.name}/{found.name}",
        files[found.file].name,
        found.place.document,
        found.place.line,
        action,
        done.container if done else None,
        done.key if done else None,
    )
