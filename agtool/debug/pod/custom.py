"""Pure: what the file of --custom changes in a container and its pod.

It is merged as `kubectl patch` does it: mappings field by field, lists of named things by name,
other lists as a whole; `null` removes a field, and `$patch: delete` or `replace` what it stands in.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
Which fields there are is known to the API server, which refuses others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agtool.core.errors import UsageError
from agtool.core.kube.errors import RejectedError
from agtool.core.yamltext import NotYaml, as_kubernetes, parsed
from agtool.debug.model import CONTAINER, MANAGED_BY, Custom, Request

if TYPE_CHECKING:
    from agtool.core.errors import AgtoolError
    from agtool.core.kube.session import Json

_KEYS = {
    "containers": "name",
    "env": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Of lists whose items are merged: the field that tells them apart. Source: k8s.io/api,
core/v1/types.go, patchMergeKey."""

_TAG = "tag:yaml.org,2002:"
_TYPES = {"bool", "float", "int", "map", "null", "seq", "str"}
"""Of YAML, those that JSON has."""

_OF_AGTOOL = {
    "args": "Write the command behind `--`.",
    "command": "Write the command behind `--`.",
    "image": "Use --image.",
    "lifecycle": "agtool ends the container itself.",
    "name": "agtool names the container itself.",
    "targetContainerName": "Use --container.",
    "spec.activeDeadlineSeconds": "Use --ttl.",
    "spec.ephemeralContainers": "Use --target.",
    "spec.restartPolicy": "The pod must end when its session does.",
}
"""Fields that are agtool's own, and what to do instead."""


def parse_custom(text: str, name: str) -> Custom:
    """What the text of a file says: a partial container, or with `spec` a partial pod.

    Args:
        name: of the file, for people.

    Raises:
        UsageError: it is neither, or sets what agtool sets itself; with the line.
    """
    body, lines = _document(text, name)
    if not ("spec" in body or "metadata" in body):
        _check_container(body, lines, name)
        return Custom(body, {}, {f"container.{path}": line for path, line in lines.items()}, name)
    return _custom_pod(body, lines, name)


def _document(text: str, name: str) -> tuple[Json, dict[str, int]]:
    """The only document, and the line of each of its fields."""
    lines: dict[str, int] = {}
    try:
        documents = [
            # The lines first: they are looked at as they are written, before `<<` is resolved.
            (dict(_lines(node, "", name)), value_of(node))
            for node, value_of in parsed(text, as_kubernetes())
        ]
    except NotYaml as error:
        at = f" line {error.line}" if error.line else ""
        raise UsageError(
            f"--custom {name}{at}: it is no YAML, and no JSON: {error.problem}",
            hint="Write a partial container, or with `spec:` a partial pod.",
        ) from error
    except RecursionError as error:
        raise UsageError(
            f"--custom {name} is nested too deeply",
            hint="An alias may stand within what it is an alias of.",
        ) from error
    if len(documents) != 1 or not isinstance(documents[0][1], dict) or not documents[0][1]:
        raise UsageError(
            f"--custom {name} is not one container, nor one pod",
            hint="Write a partial container such as `securityContext: {runAsUser: 0}`, or with "
            "`spec:` a partial pod.",
        )
    lines, body = documents[0]
    return body, lines


def _lines(node: Any, path: str, name: str) -> Iterator[tuple[str, int]]:
    """The line of each field, by its path without places in lists.

    Raises UsageError for what is no JSON, and for items that cannot be told apart.
    """
    if node.tag.removeprefix(_TAG) not in _TYPES:
        raise UsageError(
            f"--custom {name} line {node.start_mark.line + 1}: Kubernetes knows no {node.tag}",
            hint="Write a text, a number, true, false, null, a list or a mapping.",
        )
    if node.id == "mapping":
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == f"{_TAG}merge":
                yield from _lines(value, path, name)
                continue
            if key.tag != f"{_TAG}str":
                raise UsageError(
                    f"--custom {name} line {line}: a field has a name, which is a text",
                    hint=f'Write it as one: "{key.value}"'
                    if isinstance(key.value, str)
                    else "Write a name before the colon.",
                )
            if key.value in seen:
                raise UsageError(
                    f"--custom {name} line {line}: {key.value!r} stands here a second time",
                    hint="Write each field once.",
                )
            seen.add(key.value)
            here = f"{path}.{key.value}".lstrip(".")
            yield here, line
            yield from _lines(value, here, name)
    elif node.id == "sequence":
        field = path.rpartition(".")[2]
        for item in node.value:
            if field in _KEYS and item.id != "mapping":
                raise UsageError(
                    f"--custom {name} line {item.start_mark.line + 1}: an item of {field} is a "
                    "mapping",
                    hint=f"Write its fields: {{{_KEYS[field]}: ...}}",
                )
            yield from _lines(item, path, name)


def _check_container(container: Json, lines: Mapping[str, int], name: str, at: str = "") -> None:
    for field in container:
        if field in _OF_AGTOOL and not (at and field == "name"):
            raise _of_agtool(f"{at}{field}", field, lines, name)


def _of_agtool(path: str, field: str, lines: Mapping[str, int], name: str) -> UsageError:
    return UsageError(
        f"--custom {name} line {lines.get(path, 1)}: agtool sets {path} itself",
        hint=_OF_AGTOOL.get(field, f"Leave {path} out."),
    )


def _custom_pod(body: Json, lines: Mapping[str, int], name: str) -> Custom:
    for field in body:
        if field not in {"apiVersion", "kind", "metadata", "spec"}:
            raise UsageError(
                f"--custom {name} line {lines.get(field, 1)}: a pod has no field {field!r} to set",
                hint="Write `metadata:` and `spec:`, or a container without both.",
            )
    if (body.get("apiVersion", "v1"), body.get("kind", "Pod")) != ("v1", "Pod"):
        raise UsageError(
            f"--custom {name} line {lines.get('kind', 1)}: it is no Pod of v1",
            hint="Leave out apiVersion and kind, or write v1 and Pod.",
        )
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    if not (isinstance(metadata, dict) and isinstance(spec, dict)):
        raise UsageError(
            f"--custom {name}: metadata and spec are mappings", hint="Write fields below them."
        )
    _check_metadata(metadata, lines, name)
    for field in spec:
        if f"spec.{field}" in _OF_AGTOOL:
            raise _of_agtool(f"spec.{field}", f"spec.{field}", lines, name)
    ours, others = _containers(spec, lines, name)
    spec = {key: value for key, value in spec.items() if key != "containers"}
    pod = {"metadata": metadata, "spec": spec | ({"containers": others} if others else {})}
    renamed = {
        re.sub(r"^spec\.containers\.", "container.", path): line for path, line in lines.items()
    }
    return Custom(ours, pod, {**lines, **renamed}, name)


def _containers(spec: Json, lines: Mapping[str, int], name: str) -> tuple[Json, list[Json]]:
    """What a partial pod says of our container, and the others that it adds."""
    ours: Json = {}
    others = []
    containers = spec.get("containers") or []
    if not isinstance(containers, list):
        raise UsageError(
            f"--custom {name} line {lines.get('spec.containers', 1)}: spec.containers is a list",
            hint=f"Write its items with a dash: - name: {CONTAINER}",
        )
    for one in containers:
        if "name" not in one:
            raise UsageError(
                f"--custom {name} line {lines.get('spec.containers', 1)}: a container has no name",
                hint=f"That of agtool is {CONTAINER}; others are added to the pod.",
            )
        if one["name"] == CONTAINER:
            _check_container(one, lines, name, "spec.containers.")
            ours = {key: value for key, value in one.items() if key != "name"}
        else:
            others.append(one)
    return ours, others


def _check_metadata(metadata: Json, lines: Mapping[str, int], name: str) -> None:
    for field, values in metadata.items():
        path = f"metadata.{field}"
        if field not in {"labels", "annotations"}:
            raise _of_agtool(path, path, lines, name)
        for key in values if isinstance(values, dict) else ():
            if key == MANAGED_BY[0] or str(key).startswith("agtool/"):
                raise _of_agtool(f"{path}.{key}", path, lines, name)


def customized(container: Json, request: Request) -> Json:
    """A container with what --custom says of it."""
    return _merged(container, request.custom.container) if request.custom else container


def customized_pod(pod: Json, request: Request) -> Json:
    """A pod with what --custom says of all but our container."""
    return _merged(pod, request.custom.pod) if request.custom else pod


def says_security(custom: Custom | None) -> bool:
    """Whether a file says what the container may do."""
    return custom is not None and "securityContext" in custom.container


def _merged(base: Json, patch: Json) -> Json:
    result = dict(base)
    for key, value in patch.items():
        if key.startswith("$"):
            continue  # read where it stands
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            directive = value.get("$patch")
            if directive == "delete":
                result.pop(key, None)
                continue
            before = result.get(key)
            keep = isinstance(before, dict) and directive != "replace"
            result[key] = _merged(before if keep and isinstance(before, dict) else {}, value)
        elif isinstance(value, list) and key in _KEYS:
            result[key] = _merged_list(list(result.get(key) or ()), value, _KEYS[key])
        else:
            result[key] = value
    return result


def _merged_list(base: list[Any], patch: list[Any], name: str) -> list[Any]:
    directives = [one for one in patch if isinstance(one, dict) and set(one) == {"$patch"}]
    result = [] if {"$patch": "replace"} in directives else base
    for item in patch:
        if item in directives:
            continue
        known = isinstance(item, dict) and name in item
        same = [one for one in result if known and one.get(name) == item[name]]
        if not same:
            result = [*result, item]
        elif item.get("$patch") == "delete":
            result = [one for one in result if one is not same[0]]
        else:
            base_of_it = {} if item.get("$patch") == "replace" else same[0]
            merged = _merged(base_of_it, item)
            result = [merged if one is same[0] else one for one in result]
    return result


def placed(error: AgtoolError, custom: Custom | None) -> AgtoolError:
    """An API server's refusal of a field that the file has, with the place of that field."""
    unknown = re.findall(r'(?:unknown|duplicate) field "([^"]*)"', error.message)
    if custom is None:
        return error
    if not unknown:
        if isinstance(error, RejectedError):
            error.hint = error.hint or f"Check what --custom {custom.name} says of it."
        return error
    words = []
    for path in unknown:
        field = re.sub(r"\[\d+\]", "", path)
        field = re.sub(r"^spec\.(containers|ephemeralContainers)\.", "container.", field)
        line = custom.lines.get(field)
        where = f"line {line}: " if line else ""
        words.append(f"{where}the API server knows no field {path.rpartition('.')[2]} ({path})")
    return RejectedError(
        f"--custom {custom.name} {'; '.join(words)}",
        hint="`kubectl explain pod.spec` and `kubectl explain pod.spec.containers` show them.",
    )
