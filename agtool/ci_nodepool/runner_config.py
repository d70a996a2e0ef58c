"""The runner's TOML: where its jobs go, and the smallest edit that changes it.

An edit only ever inserts text, so comments, order, line ends and every other byte stay by
construction. The meaning stays by proof: the result is parsed, and must be what was there before
plus the wanted entries; otherwise nothing is edited. tomlkit, which edits a document as a tree,
moves keys into another table when `kubernetes` is written with dotted keys.

Facts: gitlab-runner's common/config.go (GetNodeTolerations) and commands/register.go (a template
has one [[runners]] and fills only what flags and environment leave unset).
"""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agtool.ci_nodepool.model import Label, Toleration
from agtool.ci_nodepool.runner_toml import (
    KUBERNETES,
    Insertion,
    candidates,
    cuts,
    statements_of,
)
from agtool.core.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SELECTOR = "node_selector"
TOLERATIONS = "node_tolerations"


class CannotPatch(ConfigurationError):
    """This runner's configuration cannot be edited; the hint says what to change instead."""


@dataclass(frozen=True)
class Placement:
    """Where jobs go, in the runner's own spelling.

    Attributes:
        selector: labels that a node must have.
        tolerations: "key=value" (or "key", which means any value) -> effect ("" means any).
    """

    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.selector or self.tolerations)

    @classmethod
    def of(cls, labels: Iterable[Label], tolerations: Iterable[Toleration]) -> Placement:
        """Jobs that go to nodes with these labels, in spite of what the tolerations name."""
        entries = {
            t.key if t.value is None else f"{t.key}={t.value}": t.effect for t in tolerations
        }
        return cls(dict(labels), entries)

    def tables(self) -> dict[str, Mapping[str, str]]:
        """The same by the names of the TOML tables."""
        return {SELECTOR: self.selector, TOLERATIONS: self.tolerations}


@dataclass(frozen=True)
class Edit:
    """A new text, what was inserted to get it, and the entries that this added."""

    text: str
    insertions: tuple[Insertion, ...]
    added: Placement


@dataclass(frozen=True)
class Removal:
    """A new text without what agtool had added, and the entries that it had to leave, with why."""

    text: str
    removed: Placement
    kept: tuple[str, ...]


def read(text: str) -> Placement:
    """Where the jobs of a template go, by its TOML alone.

    Raises:
        CannotPatch: as `edit`, so that what can be read can also be edited.
    """
    return _placement(parse(text))


def overwrites(text: str) -> list[str]:
    """The settings by which a job may choose other nodes than the template says."""
    kubernetes = parse(text)["runners"][0].get("kubernetes", {})
    names = (f"{table}_overwrite_allowed" for table in (SELECTOR, TOLERATIONS))
    return [name for name in names if kubernetes.get(name)]


def parse(text: str) -> dict[str, Any]:
    """The TOML of a template that has what a runner of Kubernetes jobs needs.

    Raises:
        CannotPatch: it is no TOML, has not exactly one [[runners]], or is for another executor.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits
        if "{{" in text:
            raise CannotPatch(
                "the runner's template holds Go template text ({{ ... }}), so it is not TOML yet",
                hint="Edit it where it is rendered: `runners.config` in the Helm values.",
            ) from error
        raise CannotPatch(f"the runner's template is not valid TOML: {error}") from error
    runners = data.get("runners")
    if not isinstance(runners, list) or len(runners) != 1:
        found = len(runners) if isinstance(runners, list) else 0
        raise CannotPatch(
            f"the runner's template has {found} [[runners]], and a template must have exactly one",
            hint="Keep one [[runners]] in it, and install one release of the chart per runner."
            if found
            else "Add a [[runners]] section to `runners.config` in the Helm values.",
        )
    if not isinstance(runners[0], dict):
        raise CannotPatch("the runner's template has a `runners` that is no table")
    executor = runners[0].get("executor", "kubernetes")
    if executor != "kubernetes":
        raise CannotPatch(f"this runner's executor is {executor!r}: its jobs are no pods")
    kubernetes = runners[0].get("kubernetes", {})
    for name in ("", SELECTOR, TOLERATIONS):
        table = kubernetes.get(name, {}) if name else kubernetes
        if not isinstance(table, dict):
            raise CannotPatch(
                f"the runner's template has a {name or 'kubernetes'} that is no table"
            )
        if name and not all(isinstance(value, str) for value in table.values()):
            raise CannotPatch(
                f"the runner's template has a value in {name} that is no string",
                hint='gitlab-runner takes only strings there: put it in quotes, as in "true".',
            )
    return data


def toleration(name: str, effect: str) -> Toleration:
    """What an entry of node_tolerations makes of a job's pod."""
    key, equals, value = name.partition("=")
    return Toleration(key, value.partition("=")[0] if equals else None, effect)


def missing(present: Placement, wanted: Placement) -> Placement:
    """What must be added to `present` so that jobs go where `wanted` says.

    Raises:
        CannotPatch: an entry is there with another value, which agtool does not change.
    """
    selector = {k: v for k, v in wanted.selector.items() if present.selector.get(k) != v}
    there_are = [toleration(*entry) for entry in present.tolerations.items()]
    tolerations = {
        name: effect
        for name, effect in wanted.tolerations.items()
        if not any(_covers(one, toleration(name, effect)) for one in there_are)
    }
    found = Placement(selector, tolerations)
    for table, there in present.tables().items():
        for name in found.tables()[table]:
            if name in there:
                raise CannotPatch(
                    f'jobs have "{name}" = "{there[name]}" in {table} already, '
                    f'where "{found.tables()[table][name]}" is wanted',
                    hint=f"Change it by hand if nothing needs it (in {table}), or name another "
                    "label with --selector."
                    if table == SELECTOR
                    else f'Change it by hand in {table}: an empty effect, "{name}" = "", '
                    "tolerates all of them.",
                )
    return found


def _covers(there: Toleration, wanted: Toleration) -> bool:
    """Whether a pod that has the one tolerates all that the other would."""
    return (
        there.effect in {"", wanted.effect}
        and (there.key == wanted.key or (not there.key and there.value is None))
        and there.value in {None, wanted.value}
    )


def edit(text: str, wanted: Placement) -> Edit:
    """Add what is missing for `wanted`; no insertion where nothing is.

    Raises:
        CannotPatch: the text is not what `parse` wants, an entry is there with another value, or
            no place for the new entries was found that leaves everything else as it is.
    """
    added = missing(read(text), wanted)
    insertions: list[Insertion] = []
    # Each new table goes before the one of the round before: the selector ends up first.
    for table, entries in reversed(added.tables().items()):
        if not entries:
            continue
        offset, fragment = _insert(text, table, entries)
        text = text[:offset] + fragment + text[offset:]
        insertions = [
            Insertion(o + len(fragment) if o >= offset else o, inserted)
            for o, inserted in insertions
        ] + [Insertion(offset, fragment)]
    return Edit(text, tuple(sorted(insertions)), added)


def remove(text: str, added: Placement, insertions: Sequence[Insertion], before: str) -> Removal:
    """Take back an edit; what others changed since is kept.

    before: the fingerprint of the text before the edit. Where nothing else has changed since, the
    result is that very text. Otherwise the entries are taken out one by one, and one that has
    another value by now is somebody's decision and stays.

    Raises:
        CannotPatch: the text is not what `parse` wants any more.
    """
    original = _without(text, insertions)
    if fingerprint(original) == before:
        return Removal(original, added, ())
    ours = "".join(insertion.text for insertion in insertions)
    removed: dict[str, dict[str, str]] = {SELECTOR: {}, TOLERATIONS: {}}
    kept = []
    for table, entries in added.tables().items():
        for name, value in entries.items():
            there = read(text).tables()[table].get(name)
            if there is None:
                continue  # somebody was faster
            if there != value:
                kept.append(f'"{name}" in {table} has been changed to "{there}"')
                continue
            shorter = _remove_entry(text, table, name, ours)
            if shorter is None:
                kept.append(f'"{name}" in {table}: take it out by hand, its place is not certain')
            else:
                text = shorter
                removed[table][name] = value
    return Removal(text, Placement(removed[SELECTOR], removed[TOLERATIONS]), tuple(kept))


def fingerprint(text: str) -> str:
    """What tells two texts apart."""
    return hashlib.sha256(text.encode()).hexdigest()


# -- what a text means ---------------------------------------------------------------------------


def _placement(data: Mapping[str, Any]) -> Placement:
    kubernetes = data["runners"][0].get("kubernetes", {})
    return Placement(dict(kubernetes.get(SELECTOR, {})), dict(kubernetes.get(TOLERATIONS, {})))


def _means(text: str, expected: object) -> bool:
    try:
        return _canonical(tomllib.loads(text)) == expected
    except tomllib.TOMLDecodeError:
        return False


def _canonical(value: object) -> object:
    """Equal for equal meaning and nothing else: 1 is not 1.0 is not true, and nan is nan.

    A table of node_selector or node_tolerations that is empty means the same as none.
    """
    if isinstance(value, dict):
        items = ((k, _canonical(v)) for k, v in value.items())
        return {k: v for k, v in items if v != {} or k not in {SELECTOR, TOLERATIONS, "kubernetes"}}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return type(value).__name__, repr(value)


# -- the text ------------------------------------------------------------------------------------


def _insert(text: str, table: str, entries: Mapping[str, str]) -> Insertion:
    """The insertion that adds entries to a table, and nothing else."""
    expected = copy.deepcopy(tomllib.loads(text))
    kubernetes = expected["runners"][0].setdefault("kubernetes", {})
    kubernetes.setdefault(table, {}).update(entries)
    canonical = _canonical(expected)
    for offset, fragment in candidates(text, (*KUBERNETES, table), entries):
        if _means(text[:offset] + fragment + text[offset:], canonical):
            return Insertion(offset, fragment)
    raise CannotPatch(
        f"no place was found in the runner's template where {table} can be added without "
        "changing anything else",
        hint="Write `kubernetes` as a table of its own, [runners.kubernetes], in `runners.config`.",
    )


def _without(text: str, insertions: Sequence[Insertion]) -> str:
    """The text with these pieces cut out, those that stand where they were put."""
    for offset, piece in sorted(insertions, reverse=True):
        if text[offset : offset + len(piece)] == piece:
            text = text[:offset] + text[offset + len(piece) :]
    return text


def _remove_entry(text: str, table: str, name: str, ours: str) -> str | None:
    """The text without one entry, or None where no cut takes out that and nothing else.

    ours: what agtool once inserted; a header in it goes too when nothing is left below it.
    """
    expected = copy.deepcopy(tomllib.loads(text))
    entries = expected["runners"][0]["kubernetes"][table]
    del entries[name]
    canonical = _canonical(expected)
    for start, end, header in cuts(statements_of(text), (*KUBERNETES, table), name):
        if header and (entries or header not in ours):
            continue
        shorter = text[:start] + text[end:]
        if _means(shorter, canonical):
            return shorter
    return None
