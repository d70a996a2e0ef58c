"""What people write and paste is read as kubectl reads it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.ci_nodepool.model import EFFECTS, Identity, Label, Taint, identity
from agtool.ci_nodepool.parse import (
    check_distinct,
    is_removal,
    parse_label,
    parse_label_key,
    parse_taint,
    parse_taint_match,
    split_arguments,
)
from agtool.core.errors import UsageError

KEY = "cloud.google.com/gke-preemptible"

_alnum = "abcXYZ019"
names = st.builds(
    lambda first, middle, last: first + middle + last,
    st.sampled_from(_alnum),
    st.text(_alnum + "-_.", max_size=30),
    st.sampled_from(_alnum),
)
keys = st.one_of(names, names.map(lambda name: f"example.com/{name}"))
values = st.one_of(st.just(""), names)
taints = st.builds(Taint, keys, values, st.sampled_from(EFFECTS))
labels = st.builds(Label, keys, values)


@pytest.mark.parametrize(
    "spec",
    [
        f"{KEY}=true:NoSchedule",
        f'{KEY}="true":NoSchedule',
        f"{KEY}='true':NoSchedule",
        f'"{KEY}=true:NoSchedule"',
        f'"{KEY}"="true":NoSchedule',
        f"{KEY}=\N{LEFT DOUBLE QUOTATION MARK}true\N{RIGHT DOUBLE QUOTATION MARK}:NoSchedule",
        f" {KEY}=true:NoSchedule ",
    ],
)
def test_the_forms_that_people_paste_are_one(spec: str) -> None:
    assert parse_taint(spec) == Taint(KEY, "true", "NoSchedule")


def test_a_taint_may_have_no_value() -> None:
    assert parse_taint("dedicated:NoExecute") == Taint("dedicated", "", "NoExecute")
    assert parse_taint("dedicated=:NoExecute") == Taint("dedicated", "", "NoExecute")


@given(taints)
def test_a_taint_as_written_is_read_back(taint: Taint) -> None:
    assert parse_taint(str(taint)) == taint
    assert parse_taint_match(f"{taint}-") == identity(taint)
    assert not is_removal(str(taint))
    assert is_removal(f"{taint}-")


@given(labels)
def test_a_label_as_written_is_read_back(label: Label) -> None:
    assert parse_label(str(label)) == label
    assert parse_label_key(f"{label.key}-") == identity(label)


@given(st.text(max_size=40))
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    for parse in (parse_taint, parse_label, parse_taint_match, parse_label_key):
        with suppress(UsageError):
            parse(text)


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("key-", ("key", "")),
        ("key", ("key", "")),
        ("key:NoSchedule-", ("key", "NoSchedule")),
        ("key=value:NoSchedule-", ("key", "NoSchedule")),
        ('"key-"', ("key", "")),
    ],
)
def test_removals(spec: str, match: Identity) -> None:
    assert parse_taint_match(spec) == match


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("key=value", "no effect"),
        ("key=value:noschedule", "unknown effect"),
        ("key=value:Never", "unknown effect"),
        ("=value:NoSchedule", "invalid key"),
        ("-key=value:NoSchedule", "invalid key"),
        ("a/b/c=value:NoSchedule", "invalid key"),
        ("Example.com/key=value:NoSchedule", "invalid key"),
        (f"{'k' * 64}=value:NoSchedule", "invalid key"),
        ("key=a value:NoSchedule", "invalid value"),
        ("key=a=b:NoSchedule", "invalid value"),
        (f"key={'v' * 64}:NoSchedule", "invalid value"),
        ("key=value-:NoSchedule", "invalid value"),
    ],
)
def test_what_kubectl_refuses_is_refused(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_taint(spec)


def test_an_effect_in_the_wrong_case_is_told_in_the_right_one() -> None:
    with pytest.raises(UsageError) as caught:
        parse_taint("key:noexecute")
    assert caught.value.hint == "Did you mean NoExecute?"


def test_nodes_are_told_from_the_rest() -> None:
    nodes, specs = split_arguments(
        ["node-1", "node/node-2", "a=b:NoSchedule", "key-", f"{KEY}", "node-1"]
    )
    assert nodes == ["node-1", "node-2"]
    assert specs == ["a=b:NoSchedule", "key-", KEY]
    with pytest.raises(UsageError, match="neither"):
        split_arguments(["Node_1"])


@pytest.mark.parametrize(
    "specs",
    [
        [("k", "NoSchedule"), ("k", "NoSchedule")],
        [("k", "NoSchedule"), ("k", "")],
        [("k", ""), ("k", "NoSchedule")],
        [("k", ""), ("k", "")],
    ],
)
def test_two_wishes_for_one_thing_are_refused(specs: list[Identity]) -> None:
    with pytest.raises(UsageError, match="twice"):
        check_distinct(specs)


def test_two_effects_of_one_key_are_two_taints() -> None:
    check_distinct([("k", "NoSchedule"), ("k", "NoExecute")])
