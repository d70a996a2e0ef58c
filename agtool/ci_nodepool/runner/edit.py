"""Where a toleration is written into the runner's TOML: the smallest edit, and its way back. Pure.

An edit only ever inserts text, so comments, order, line ends and every other byte stay by
construction. The meaning stays by proof: the result is parsed, and must be what was there before
plus the wanted entries; otherwise nothing is edited. tomlkit, which edits a document as a tree,
moves keys into another table when `kubernetes` is written with dotted keys.

Facts: gitlab-runner's commands/register.go (a template has one [[runners]] and fills only what
flags and environment leave unset).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agtool.ci_nodepool.runner.placement import (
    PREFERRED,
    SELECTOR,
    TOLERATIONS,
    CannotPatch,
    NotPods,
    Tables,
    missing,
)
from agtool.ci_nodepool.runner.pod.decode import ignored_table
from agtool.ci_nodepool.runner.survival import Setting
from agtool.ci_nodepool.runner.toml import (
    KUBERNETES,
    Insertion,
    appended,
    candidates,
    cuts,
    load,
    meaning,
    statements_of,
)
from agtool.ci_nodepool.runner.wishes import (
    WISHES,
    add_wishes,
    label_of,
    wish,
    wish_text,
    wishes_of,
)


@dataclass(frozen=True)
class Edit:
    """What was done to a text: what it needs to take it back.

    Attributes:
        before: the fingerprint of the text before.
        added: the entries that it has now.
        insertions: by which they came, in the new text.
    """

    before: str
    added: Tables
    insertions: tuple[Insertion, ...]


@dataclass(frozen=True)
class Removal:
    """A new text without what agtool had added; what of that had to stay, and why."""

    text: str
    removed: Tables
    kept: tuple[str, ...]


def read(text: str) -> Tables:
    """Where the jobs of a template go, by its TOML alone.

    Raises:
        CannotPatch: as `edit`, so that what can be read can also be edited.
    """
    return _tables(parse(text))


def _tables(data: Mapping[str, Any]) -> Tables:
    kubernetes = data["runners"][0].get("kubernetes", {})
    return Tables(
        dict(kubernetes.get(SELECTOR, {})),
        dict(kubernetes.get(TOLERATIONS, {})),
        dict(item for item in map(label_of, wishes_of(kubernetes)) if item),
    )


def parse(text: str) -> dict[str, Any]:
    """The TOML of a template that has what a runner of Kubernetes jobs needs.

    Raises:
        CannotPatch: it is not TOML, has not exactly one [[runners]], or is for another executor.
    """
    try:
        data = load(text)
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
        raise CannotPatch("`runners` in the runner's template is not a table")
    executor = runners[0].get("executor", "kubernetes")
    if executor != "kubernetes":
        raise NotPods(f"this runner's executor is {executor!r}: its jobs are not pods")
    kubernetes = runners[0].get("kubernetes", {})
    for name in ("", SELECTOR, TOLERATIONS):
        table = kubernetes.get(name, {}) if name else kubernetes
        if name and not isinstance(table, dict):
            ignored = ignored_table((*KUBERNETES, name), table)
            raise CannotPatch(
                f"{name} in the runner's template is not a table: gitlab-runner ignores it",
                hint=ignored.hint,
            )
        if not isinstance(table, dict):
            raise CannotPatch("kubernetes in the runner's template is not a table")
        if name and not all(isinstance(value, str) for value in table.values()):
            raise CannotPatch(
                f"{name} in the runner's template has a value that is not a string",
                hint='gitlab-runner takes only strings there: put it in quotes, as in "true".',
            )
    return data


def edit(text: str, wanted: Tables) -> tuple[str, Edit]:
    """The text with what is missing for `wanted`; no insertion where nothing is.

    Raises:
        CannotPatch: the text is not what `parse` wants, an entry is there with another value, or
            no place for the new entries was found that leaves everything else as it is.
    """
    data = parse(text)
    added = missing(_tables(data), wanted)
    before = _fingerprint(text)
    insertions: list[Insertion] = []
    # Each new table goes before the one of the round before: the selector ends up first.
    for table, entries in reversed(vars(added).items()):
        if not entries:
            continue
        offset, fragment = _insert(text, data, table, entries)
        text = text[:offset] + fragment + text[offset:]
        insertions = [
            Insertion(o + len(fragment) if o >= offset else o, inserted)
            for o, inserted in insertions
        ] + [Insertion(offset, fragment)]
    return text, Edit(before, added, tuple(sorted(insertions)))


def remove(text: str, past: Edit) -> Removal:
    """Take back an edit; what others changed since is kept.

    Where nothing else has changed since, the result is the text before the edit. Otherwise the
    entries are removed one by one, and one that has another value by now is somebody's decision
    and stays.

    Raises:
        CannotPatch: the text is not what `parse` wants any more.
    """
    original = _without(text, past.insertions)
    if _fingerprint(original) == past.before:
        return Removal(original, past.added, ())
    ours = "".join(insertion.text for insertion in past.insertions)
    removed = Tables()
    kept = []
    for table, entries in vars(past.added).items():
        for name, value in entries.items():
            if table == PREFERRED:
                shorter = _remove_wish(text, name, value)
                if shorter is not None:
                    text = shorter
                    removed.preferred[name] = value
                continue
            present = vars(read(text))[table].get(name)
            if present is None:
                continue  # somebody was faster
            if present != value:
                kept.append(f'"{name}" in {table}: somebody else has changed it to "{present}"')
                continue
            shorter = _remove_entry(text, table, name, ours)
            if shorter is None:
                kept.append(
                    f'"{name}" in {table}: remove it by hand, agtool does not find its place'
                )
            else:
                text = shorter
                vars(removed)[table][name] = value
    return Removal(text, removed, tuple(kept))


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    """Equal for equal meaning and nothing else: 1 is not 1.0 is not true, and nan is nan.

    A table of node_selector, node_tolerations or affinity that is empty means the same as none.
    """
    if isinstance(value, dict):
        items = ((k, _canonical(v)) for k, v in value.items())
        return {k: v for k, v in items if v not in ({}, []) or k not in _MAY_BE_EMPTY}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return type(value).__name__, repr(value)


def add_setting(text: str, setting: Setting) -> Insertion:
    """The insertion that adds a setting to [runners.kubernetes], or to a table in it.

    Raises:
        CannotPatch: no place was found that leaves everything else as it is, or the setting is
            there with another value.
    """
    expected = parse(text)
    kubernetes = expected["runners"][0].setdefault("kubernetes", {})
    table = kubernetes.setdefault(setting.table, {}) if setting.table else kubernetes
    value = load(f"value = {setting.value}")["value"]
    if not isinstance(table, dict) or setting.key in table:
        raise CannotPatch(
            f"the runner's template has {setting.key} already, with another value",
            hint=f"Change it by hand: {setting.line}",
        )
    table[setting.key] = value
    target = (*KUBERNETES, setting.table) if setting.table else KUBERNETES
    canonical = _canonical(expected)
    for offset, fragment in candidates(text, target, {}, lines=[setting.line]):
        if _canonical(meaning(text[:offset] + fragment + text[offset:])) == canonical:
            return Insertion(offset, fragment)
    raise CannotPatch(
        f"no place was found in the runner's template where {setting.line} can be added without "
        "changing anything else",
        hint="Write `kubernetes` as a table of its own, [runners.kubernetes], in `runners.config`.",
    )


_MAY_BE_EMPTY = {SELECTOR, TOLERATIONS, "kubernetes", *WISHES}


def _insert(
    text: str, expected: dict[str, Any], table: str, entries: Mapping[str, str]
) -> Insertion:
    """The insertion that adds entries to a table, and nothing else.

    Args:
        expected: what the text means; then, what it means with the insertion.
    """
    kubernetes = expected["runners"][0].setdefault("kubernetes", {})
    if table == PREFERRED:
        places = appended(text, [wish_text(*each) for each in entries.items()])
        if not add_wishes(kubernetes, entries):
            places = iter(())
    else:
        kubernetes.setdefault(table, {}).update(entries)
        places = candidates(text, (*KUBERNETES, table), entries)
    canonical = _canonical(expected)
    for offset, fragment in places:
        if _canonical(meaning(text[:offset] + fragment + text[offset:])) == canonical:
            return Insertion(offset, fragment)
    raise CannotPatch(
        f"no place was found in the runner's template where {_NAMES.get(table, table)} can be "
        "added without changing anything else",
        hint="Write `kubernetes` as a table of its own, [runners.kubernetes], in `runners.config`.",
    )


_NAMES = {PREFERRED: "a preferred node affinity"}


def _without(text: str, insertions: Sequence[Insertion]) -> str:
    """The text with these pieces cut out, those that stand where they were put."""
    for offset, piece in sorted(insertions, reverse=True):
        if text[offset : offset + len(piece)] == piece:
            text = text[:offset] + text[offset + len(piece) :]
    return text


def _remove_wish(text: str, key: str, value: str) -> str | None:
    """The text without a term that agtool wrote; None where it does not stand there so any more."""
    lines = [line.strip() for line in wish_text(key, value)]
    pattern = r"[ \t]*" + r"\r?\n[ \t]*".join(map(re.escape, lines)) + r"(?:\r?\n|\Z)"
    expected = parse(text)
    terms = wishes_of(expected["runners"][0].get("kubernetes", {}))
    if wish(key, value) not in terms:
        return None
    terms.remove(wish(key, value))
    canonical = _canonical(expected)
    for match in re.finditer(pattern, text):
        shorter = text[: match.start()] + text[match.end() :]
        if _canonical(meaning(shorter)) == canonical:
            return shorter
    return None


def _remove_entry(text: str, table: str, name: str, ours: str) -> str | None:
    """The text without one entry, or None where no cut takes out that and nothing else.

    Args:
        ours: what agtool once inserted; a header in it goes too when nothing is left below it.
    """
    expected = parse(text)
    entries = expected["runners"][0]["kubernetes"][table]
    del entries[name]
    canonical = _canonical(expected)
    for start, end, header in cuts(statements_of(text), (*KUBERNETES, table), name):
        if header and (entries or header not in ours):
            continue
        shorter = text[:start] + text[end:]
        if _canonical(meaning(shorter)) == canonical:
            return shorter
    return None
