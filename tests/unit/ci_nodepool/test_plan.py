"""Plans: what they change, what they leave alone, and that undo takes back just that."""

import dataclasses
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agtool.ci_nodepool.model import RECORD, Label, Node, Taint, identity, taint_of
from agtool.ci_nodepool.pool.plan import (
    Change,
    Entry,
    Wanted,
    plan_node,
    read_record,
    undo_node,
    write_record,
)

KEYS = st.sampled_from(["a", "b", "example.com/c"])
VALUES = st.sampled_from(["", "1", "2"])
EFFECTS = st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"])
TAINTS = st.builds(Taint, KEYS, VALUES, EFFECTS)
LABELS = st.builds(Label, KEYS, VALUES)


def distinct_taints(taints: list[Taint]) -> tuple[Taint, ...]:
    return tuple({(t.key, t.effect): t for t in taints}.values())


def distinct_labels(labels: list[Label]) -> tuple[Label, ...]:
    return tuple({label.key: label for label in labels}.values())


WANTED = st.builds(
    lambda labels, taints, no_labels, no_taints, overwrite: Wanted(
        distinct_labels(labels),
        distinct_taints(taints),
        tuple((key, "") for key in no_labels if key not in {label.key for label in labels}),
        tuple(m for m in no_taints if m[0] not in {taint.key for taint in taints}),
        overwrite,
    ),
    st.lists(LABELS, max_size=3),
    st.lists(TAINTS, max_size=3),
    st.lists(KEYS, max_size=2),
    st.lists(st.tuples(KEYS, st.one_of(st.just(""), EFFECTS)), max_size=2),
    st.booleans(),
)


def node(labels: dict[str, str], taints: tuple[Taint, ...], record: str = "") -> Node:
    as_api = [{"timeAdded": "2026-01-01T00:00:00Z", **taint._asdict()} for taint in taints]
    return Node("n", "uid", "1", "", labels, tuple(as_api), record, ready=True, cordoned=False)


NODES = st.builds(
    lambda labels, taints: node({each.key: each.value for each in labels}, distinct_taints(taints)),
    st.lists(LABELS, max_size=3),
    st.lists(TAINTS, max_size=4),
)


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch, as RFC 7396 defines it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(before: Node, change: Change) -> Node:
    """The node after the API has taken the patch."""
    as_api = {
        "metadata": {
            "name": before.name,
            "uid": before.uid,
            "resourceVersion": before.resource_version,
            "labels": dict(before.labels),
            "annotations": {RECORD: before.record} if before.record else {},
        },
        "spec": {"taints": list(before.taints)},
    }
    after = Node.from_api(merged(as_api, json.loads(json.dumps(change.patch()))))
    return dataclasses.replace(after, ready=before.ready)


def taints_of(of: Node) -> list[Taint]:
    return [taint_of(taint) for taint in of.taints]


@given(NODES, WANTED)
def test_a_plan_that_is_carried_out_leaves_nothing_to_do(before: Node, wanted: Wanted) -> None:
    change = plan_node(before, wanted)
    again = plan_node(patched(before, change), wanted)
    assert not again
    assert again.clashes == change.clashes


@given(NODES, WANTED)
def test_what_is_wanted_holds_or_clashes(before: Node, wanted: Wanted) -> None:
    change = plan_node(before, wanted)
    after = patched(before, change)
    clashes = len(change.clashes)
    missing = [label for label in wanted.labels if after.labels.get(label.key) != label.value]
    missing_taints = [taint for taint in wanted.taints if taint not in map(taint_of, after.taints)]
    assert len(missing) + len(missing_taints) == clashes
    assert not clashes or not wanted.overwrite
    assert not any(key in after.labels for key, _ in wanted.no_labels)
    assert not any(
        t.key == key and effect in ("", t.effect)
        for t in taints_of(after)
        for key, effect in wanted.no_taints
    )


@given(NODES, WANTED)
def test_other_taints_stay_as_they_are_and_in_their_order(before: Node, wanted: Wanted) -> None:
    after = patched(before, plan_node(before, wanted))
    touched = {(t.key, t.effect) for t in wanted.taints}

    def others(of: Node) -> list[dict[str, Any]]:
        return [
            dict(t)
            for t in of.taints
            if (t["key"], t["effect"]) not in touched
            and not any(
                t["key"] == key and effect in ("", t["effect"]) for key, effect in wanted.no_taints
            )
        ]

    assert others(after) == others(before)


@given(NODES, st.lists(WANTED, min_size=1, max_size=4))
def test_undo_brings_back_what_was_there(before: Node, wishes: list[Wanted]) -> None:
    """Removals by name are a person's own wish: undo does not bring those back."""
    now = before
    for wanted in wishes:
        added_only = dataclasses.replace(wanted, no_labels=(), no_taints=())
        now = patched(now, plan_node(now, added_only))
    after = patched(now, undo_node(now))
    assert after.labels == before.labels
    assert taints_of(after) == taints_of(before)
    assert after.record == ""
    assert not undo_node(after)


@given(NODES, WANTED, NODES)
def test_undo_leaves_what_others_changed(before: Node, wanted: Wanted, others: Node) -> None:
    ours = patched(before, plan_node(before, wanted))
    record = read_record(ours.record)
    # Somebody replaces all labels and taints by theirs.
    theirs = dataclasses.replace(ours, labels=others.labels, taints=others.taints)
    change = undo_node(theirs)
    after = patched(theirs, change)
    for key, value in theirs.labels.items():
        if (key, "") not in record or record[key, ""].value != value:
            assert after.labels[key] == value
        assert ((key, "") in record and record[key, ""].value != value) == any(
            f"label {Label(key, value)}:" in kept for kept in change.kept
        )
    for taint in taints_of(theirs):
        entry = record.get((taint.key, taint.effect))
        if entry is None or entry.value != taint.value:
            assert taint in map(taint_of, after.taints)


def test_a_plan_sends_the_version_that_it_is_made_for() -> None:
    change = plan_node(node({}, ()), Wanted(taints=(Taint("k", "", "NoSchedule"),)))
    assert change.patch() == {
        "metadata": {"resourceVersion": "1", "annotations": {RECORD: change.record}},
        "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
    }


def test_what_was_there_before_is_not_ours() -> None:
    before = node({"pool": "ci"}, (Taint("k", "v", "NoSchedule"),))
    change = plan_node(before, Wanted((Label("pool", "ci"),), (Taint("k", "v", "NoSchedule"),)))
    assert not change
    assert change.record == ""


def test_a_taint_that_was_removed_is_not_ours_any_more() -> None:
    wanted = Wanted(taints=(Taint("k", "v", "NoSchedule"),))
    ours = patched(node({}, ()), plan_node(node({}, ()), wanted))
    removed = patched(ours, plan_node(ours, Wanted(no_taints=(("k", ""),))))
    assert removed.record == ""
    assert removed.taints == ()


def test_a_record_that_somebody_spoilt_is_none() -> None:
    for text in (
        "{",
        "[]",
        "null",
        '{"labels": 1}',
        '{"taints": [{}]}',
        '{"labels": {"a": {"value": 1}}}',
    ):
        assert not read_record(text)


@given(st.lists(st.tuples(st.one_of(LABELS, TAINTS), st.one_of(st.none(), VALUES)), max_size=5))
def test_a_record_is_read_back(entries: list[tuple[Label | Taint, str | None]]) -> None:
    record = {identity(what): Entry(what.value, before) for what, before in entries}
    assert read_record(write_record(record)) == record
