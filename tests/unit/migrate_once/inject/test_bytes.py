"""What goes in comes out again to the byte, in whatever form a manifest is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from agtool.core.yamltext import as_kubernetes
from agtool.migrate_once.inject.additions import ANNOTATION, INSTALL, MIGRATE, Wish
from agtool.migrate_once.inject.manifests import File
from agtool.migrate_once.inject.problem import ManifestError
from agtool.migrate_once.inject.run import inject, remove
from tests.unit.migrate_once.inject.generated import stream

WISH = Wish("r.x/agtool:1", "copy", (), None, ("migrate", "up"), "main", None, {}, told=True)


def injected(text: str, wish: Wish) -> str:
    (made,) = inject([File("x", text)], None, wish).texts
    return made


def removed(text: str) -> str:
    (made,) = remove([File("x", text)], None).texts
    return made


def meant(text: str) -> list[Any]:
    # PyYAML takes no end of a document (...) where none has begun.
    text = re.sub(r"\A((?:[ \t]*(?:#.*)?\r?\n)*)\.\.\.", r"\1---", text.removeprefix("\ufeff"))
    return list(yaml.load_all(text, as_kubernetes()))


def without_ours(value: Any) -> Any:
    """A value without what agtool adds, and with an empty list or mapping in the place of null."""
    if isinstance(value, list):
        names = (INSTALL, MIGRATE)
        kept = [e for e in value if not (isinstance(e, dict) and e.get("name") in names)]
        return [without_ours(each) for each in kept]
    if isinstance(value, dict):
        return {
            key: made
            for key, each in value.items()
            if key != ANNOTATION and (made := without_ours(each)) not in ({}, [], None)
        }
    return value if value == value else "nan"  # noqa: PLR0124


def pods(documents: list[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        for each in document.get("items", [document]) if isinstance(document, dict) else ():
            spec = each.get("spec") if isinstance(each, dict) else None
            while isinstance(spec, dict) and "containers" not in spec:
                spec = (spec.get("jobTemplate") or spec.get("template") or {}).get("spec")
            if spec:
                yield spec


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from(["copy", "image-volume"]))
def test_what_is_added_can_be_removed(seed: int, method: str) -> None:
    made_up = stream(seed)
    made = injected(made_up.text, WISH._replace(method=method))
    assert removed(made) == made_up.text
    assert injected(made, WISH._replace(method=method)) == made
    before, after = meant(made_up.text), meant(made)
    assert list(map(without_ours, after)) == list(map(without_ours, before))
    (spec,) = pods(after)
    names = [each["name"] for each in spec["initContainers"]]
    assert names[-1] == MIGRATE
    assert (INSTALL in names) == (method == "copy")
    assert MIGRATE in [each["name"] for each in spec["volumes"]]
    if ANNOTATION not in made and '"' + MIGRATE not in made:  # in blocks, lines are only added
        lines = iter(made.splitlines())
        assert all(line in lines for line in made_up.text.splitlines())


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from(["copy", "image-volume"]))
def test_what_is_wrapped_can_be_unwrapped(seed: int, method: str) -> None:
    made_up = stream(seed)
    if not made_up.wrap:
        return
    command = None if made_up.has_command else ("run", "-- it")
    wish = WISH._replace(
        method=method, command=command, container=None, init_container=made_up.wrap
    )
    made = injected(made_up.text, wish)
    assert removed(made) == made_up.text
    assert injected(made, wish) == made
    (was,), (spec,) = pods(meant(made_up.text)), pods(meant(made))
    (old,) = [each for each in was["initContainers"] if each["name"] == made_up.wrap]
    (new,) = [each for each in spec["initContainers"] if each["name"] == made_up.wrap]
    at = new["command"].index("--")
    assert new["command"][at + 1 :] == (old.get("command") or list(command or ()))
    assert new.get("args") == old.get("args")
    # What was there first is still known when another wish comes.
    assert removed(injected(made, wish._replace(key="v2"))) == made_up.text
    with pytest.raises(ManifestError, match="is wrapped already"):
        injected(made, WISH)
