"""The patches of `pod_spec`, as gitlab-runner applies them to a job's pod. Pure.

Only the fields that decide placement are followed. What a patch does to the others is not, so
whether a JSON patch can be applied at all may be a doubt.

Sources: gitlab-runner's executors/kubernetes (doPodSpecMerge, applyPodSpecMerge); Kubernetes'
strategic merge patch with the patch strategies of core/v1; evanphx/json-patch; RFC 6902 and 7386.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]

FIELDS = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "runtimeClassName",
    "priorityClassName",
    "schedulerName",
    "nodeName",
    "schedulingGates",
)
"""Of a pod's specification: what decides where it runs."""

_ALWAYS_THERE = ("containers", "volumes", "affinity")
"""What a job's pod has in any case, so that a JSON patch can reach into it."""


class DoesNotApply(ValueError):
    """The patch fails, and with it every job; says why."""


class Unknown(ValueError):
    """What the patch does cannot be told; says why."""


def apply(spec: Mapping[str, Any], patch: Mapping[str, str]) -> Document:
    """The specification with one entry of `pod_spec`.

    Raises:
        DoesNotApply: every job fails.
        Unknown: it cannot be told.
    """
    text = patch.get("patch", "")
    if patch.get("patch_path"):
        if text:
            raise DoesNotApply("it has both patch and patch_path")
        raise Unknown(f"it is in the file {patch['patch_path']} of the manager")
    kind = patch.get("patch_type") or "strategic"
    if kind not in ("strategic", "merge", "json"):
        meant = (
            f": write {kind.lower()!r}" if kind.lower() in ("strategic", "merge", "json") else ""
        )
        raise DoesNotApply(f"its patch_type {kind!r} is unknown{meant}")
    if "{{" in text:
        raise Unknown("it holds Go template text ({{ ... }})")
    value = _yaml(text)
    if kind == "json":
        return _json_patch(spec, value)
    if value is None and kind == "strategic":
        return dict(spec)
    if not isinstance(value, dict):
        raise DoesNotApply("it is not an object")
    for key in value:
        if key not in FIELDS and key.lower() in (name.lower() for name in FIELDS):
            raise Unknown(f"its field {key} is not written as Kubernetes has it")
    own = {key: each for key, each in value.items() if key in FIELDS or key.startswith("$")}
    return _merge(spec, own, strategic=kind == "strategic")


def _yaml(text: str) -> Any:
    import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = re.sub(r"\s+", " ", str(error))
        raise DoesNotApply(f"it is not YAML: {line}") from error


def _merge(target: Mapping[str, Any], patch: Mapping[str, Any], *, strategic: bool) -> Document:
    """RFC 7386; strategic the same for these fields, but for its directives and one list."""
    if strategic and any(key.startswith("$") for key in patch):
        return _directed(target, patch)
    made = dict(target)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, dict):
            there = made.get(key)
            made[key] = _merge(there if isinstance(there, dict) else {}, value, strategic=strategic)
        elif strategic and key == "topologySpreadConstraints" and isinstance(value, list):
            made[key] = _by_key(made.get(key) or [], value)
        else:
            made[key] = value
    return made


def _directed(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
    """What a directive of a strategic merge patch says."""
    rest = {key: value for key, value in patch.items() if key != "$patch"}
    directive = patch.get("$patch")
    if any(key.startswith("$") for key in rest) or directive not in ("replace", "delete", "merge"):
        raise Unknown("it has directives of a strategic merge patch")
    if directive == "replace":
        return _pruned(rest)
    return {} if directive == "delete" else _merge(target, rest, strategic=True)


def _pruned(value: Document) -> Document:
    """Without the nulls, as a merge into nothing leaves it."""
    return {k: _pruned(v) if isinstance(v, dict) else v for k, v in value.items() if v is not None}


def _by_key(target: list[Any], patch: list[Any]) -> list[Any]:
    """The list that a strategic patch merges by topologyKey."""
    made = list(target)
    for each in patch:
        if not isinstance(each, dict) or "$patch" in each or "topologyKey" not in each:
            raise Unknown("it changes topologySpreadConstraints")
        same = [i for i, old in enumerate(made) if old.get("topologyKey") == each["topologyKey"]]
        if same:
            made[same[0]] = {**made[same[0]], **each}
        else:
            made.append(each)
    return made


def _json_patch(spec: Mapping[str, Any], operations: Any) -> Document:
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise DoesNotApply("it is not a list of operations")
    made: Document = copy.deepcopy(dict(spec))
    for each in operations:
        _operate(made, each)
    return made


def _operate(document: Document, operation: Mapping[str, Any]) -> None:
    kind, path = operation.get("op"), _pointer(operation, "path")
    if kind in ("move", "copy"):
        source = _pointer(operation, "from")
        if not (_followed(path) and _followed(source)):
            raise Unknown(f"its operation {kind} is about {path}")
        value = _get(document, source)
        if kind == "move":
            _change(document, "remove", source, None)
        _change(document, "add", path, copy.deepcopy(value))
    elif kind not in ("add", "remove", "replace", "test"):
        raise DoesNotApply(f"it has the unknown operation {kind!r}")
    elif not _followed(path):
        _refuse_unknown(kind, path)
    elif kind == "test":
        if _get(document, path) != operation.get("value"):
            raise DoesNotApply(f"its test of {path} fails")
    else:
        _change(document, kind, path, copy.deepcopy(operation.get("value")))


def _pointer(operation: Mapping[str, Any], name: str) -> str:
    """The JSON pointer of an operation that is called so."""
    pointer = operation.get(name)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise DoesNotApply(f"{name} of an operation is {pointer!r}, and does not begin with /")
    if not pointer:
        raise Unknown("an operation is about the whole pod")
    return pointer


def _refuse_unknown(kind: str, path: str) -> None:
    """Raise Unknown if an operation on another field may fail."""
    parts = path.split("/")
    reachable = len(parts) == 2 or parts[1] in _ALWAYS_THERE
    if kind in ("test", "remove") or not reachable:
        raise Unknown(f"its operation {kind} is about {path}")


def _followed(path: str) -> bool:
    return path.split("/")[1] in FIELDS


def _get(document: Document, path: str) -> Any:
    parent, key = _parent(document, path)
    if isinstance(parent, list):
        return parent[_index(parent, key, path)]
    if key not in parent:
        raise DoesNotApply(f"there is no {path}")
    return parent[key]


def _parent(document: Document, path: str) -> tuple[Any, str]:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    there: Any = document
    for part in parts[:-1]:
        if isinstance(there, list):
            there = there[_index(there, part, path)]
        elif isinstance(there, dict) and there.get(part) is not None:
            there = there[part]
        else:
            there = None
        if not isinstance(there, dict | list):
            raise DoesNotApply(f"there is nothing to add to or to change at {path}")
    return there, parts[-1]


def _change(document: Document, kind: str, path: str, value: Any) -> None:
    parent, key = _parent(document, path)
    if isinstance(parent, list):
        if kind == "add":
            if key == "-":
                parent.append(value)
            else:
                parent.insert(_index([*parent, None], key, path, inserts=True), value)
        elif kind == "remove":
            del parent[_index(parent, key, path)]
        else:
            parent[_index(parent, key, path)] = value
    elif kind == "remove":
        if key not in parent:
            raise DoesNotApply(f"there is no {path} to remove")
        del parent[key]
    else:  # `replace` of what is not there adds it
        parent[key] = value


def _index(items: list[Any], key: str, path: str, *, inserts: bool = False) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", key) or not -len(items) <= int(key) < len(items):
        raise DoesNotApply(f"there is no {path}")
    if path.startswith("/tolerations/") and len(items) > 1 and not inserts:
        raise Unknown("gitlab-runner gives the tolerations no certain order")
    return int(key) % len(items)
