"""What jobs prefer, as gitlab-runner's TOML has it: terms of the preferred node affinity. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from agtool.ci_nodepool.runner.placement import WEIGHT
from agtool.ci_nodepool.runner.toml import KUBERNETES, quoted

WISHES = (
    "affinity",
    "node_affinity",
    "preferred_during_scheduling_ignored_during_execution",
)
"""Where in [runners.kubernetes] the terms of the preferred node affinity are."""


def wishes_of(kubernetes: Mapping[str, Any]) -> list[Any]:
    """The terms of the preferred node affinity."""
    there: Any = kubernetes
    for name in WISHES:
        there = there.get(name) if isinstance(there, dict) else None
    return there if isinstance(there, list) else []


def wish(key: str, value: str) -> dict[str, Any]:
    """The term by which jobs prefer nodes with a label."""
    expression = {"key": key, "operator": "In", "values": [value]}
    return {"weight": WEIGHT, "preference": {"match_expressions": [expression]}}


def label_of(term: Any) -> tuple[str, str] | None:
    """The label that a term prefers, if it is one."""
    with suppress(KeyError, TypeError, ValueError):
        (expression,) = term["preference"]["match_expressions"]
        (value,) = expression["values"]
        if expression["operator"] == "In" and not term["preference"].get("match_fields"):
            return expression["key"], value
    return None


def add_wishes(kubernetes: dict[str, Any], entries: Mapping[str, str]) -> bool:
    """Put the terms into what the TOML means; whether that can be done."""
    there = kubernetes
    for name in WISHES[:-1]:
        there = there.setdefault(name, {})
        if not isinstance(there, dict):
            return False
    terms = there.setdefault(WISHES[-1], [])
    if not isinstance(terms, list):
        return False
    terms += [wish(*each) for each in entries.items()]
    return True


def wish_text(key: str, value: str) -> list[str]:
    """The same as lines of TOML."""
    expression = f'{{ key = {quoted(key)}, operator = "In", values = [{quoted(value)}] }}'
    return [
        f"[[{'.'.join((*KUBERNETES, *WISHES))}]]",
        f"  weight = {WEIGHT}",
        f"  preference = {{ match_expressions = [{expression}] }}",
    ]
