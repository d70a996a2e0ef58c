"""A runner that is kept by hand: what it runs, and where its configuration is mounted. Pure.

Facts: gitlab-runner's common.GetDefaultConfigFile (as root /etc/gitlab-runner/config.toml, else
~/.gitlab-runner/config.toml), and its --config, -c and CONFIG_FILE.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agtool.ci_nodepool.runner.model import Place, words_of
from agtool.core.kube.session import Json

_IMAGE = re.compile(r"(?:^|/)gitlab-runner(?:-(?:ocp|fips|ubi\d*|alpine|ubuntu))*(?:[:@]|$)")
_COMMAND = re.compile(r"(?:^|[\s/;&|'\"])gitlab-runner\s(?:[^;&|]*\s)?(?:run|register)\b")
_DEFAULT = "/etc/gitlab-runner/config.toml"
_IN_HOME = "/.gitlab-runner/config.toml"


def runs(workload: Json) -> bool:
    """Whether a Deployment or StatefulSet runs gitlab-runner as a program of its own.

    By the command, or by the image where the command is the image's.
    """
    pod = workload["spec"]["template"]["spec"]
    return any(map(_runs, pod.get("containers") or ()))


def _runs(container: Json) -> bool:
    command = [*(container.get("command") or ()), *(container.get("args") or ())]
    if _COMMAND.search(" ".join(map(str, command))):
        return True
    own = not container.get("command") or "gitlab-runner" in str(container["command"][0])
    return bool(_IMAGE.search(container.get("image") or "")) and own


def registers(pod: Json) -> bool:
    """Whether the manager registers at its start, and so takes a template."""
    return any(re.search(r"\bregister\b", word) for word in words_of(pod))


def paths(pod: Json, variables: dict[str, str | None]) -> list[str]:
    """Where the manager may read its configuration, the likeliest first."""
    text = " ".join(words_of(pod))
    option = "--template-config" if registers(pod) else r"(?:--config|-c)"
    found = re.search(rf"(?:^|\s){option}[ =]+['\"]?([^\s'\"]+)", text)
    if found:
        return [found[1]]
    variable = "TEMPLATE_CONFIG_FILE" if registers(pod) else "CONFIG_FILE"
    if value := variables.get(variable):
        return [value]
    if registers(pod):
        return []
    in_home = [
        f"{mount['mountPath'].rstrip('/')}/config.toml"
        for mount in _mounts(pod)
        if f"{mount['mountPath'].rstrip('/')}/config.toml".endswith(_IN_HOME)
    ]
    files = [m["mountPath"] for m in _mounts(pod) if m["mountPath"].endswith(_IN_HOME)]
    return [_DEFAULT, *in_home, *files]


def places_of(pod: Json, path: str) -> list[Place]:
    """Where the file at a path of the manager's container may come from, the likeliest first.

    What is mounted there decides. Where that is a scratch volume, or nothing, something else puts
    the file there, such as an init container; it is then one that is mounted for that.
    """
    for mount in sorted(_mounts(pod), key=lambda each: -len(each["mountPath"])):
        at = posixpath.normpath(mount["mountPath"])
        below = "" if at == path else path.removeprefix(f"{at}/")
        if below == path:
            continue
        inner = posixpath.normpath(posixpath.join(mount.get("subPath", ""), below)).strip("/")
        volumes: list[Json] = pod.get("volumes") or []
        volume = next((each for each in volumes if each["name"] == mount["name"]), Json())
        if "emptyDir" in volume:
            break
        return list(_places(volume, inner))
    name = posixpath.basename(path)
    return [place for volume in pod.get("volumes") or () for place in _named(volume, name)]


def _mounts(pod: Json) -> list[Json]:
    return [
        mount
        for container in pod["containers"]
        for mount in container.get("volumeMounts") or ()
        if _runs(container) or len(pod["containers"]) == 1
    ]


def _named(volume: Json, name: str) -> Iterator[Place]:
    """The places of a volume that may have such a file."""
    for kind, source, projected in _sources(volume):
        items = source.get("items") or ()
        if not items:
            yield Place(kind, _name(source), name, projected)
        for item in items:
            if name in (item.get("key"), posixpath.basename(item.get("path", ""))):
                yield Place(kind, _name(source), item["key"], projected)


def _places(volume: Json, path: str) -> Iterator[Place]:
    """Where a path in a volume may come from; the last source that has it wins."""
    for kind, source, projected in reversed(list(_sources(volume))):
        items: Sequence[Any] = source.get("items") or ()
        if not items and "/" not in path:
            yield Place(kind, _name(source), path, projected)
        for item in items:
            if item.get("path", "").strip("/") == path:
                yield Place(kind, _name(source), item["key"], projected)


def _sources(volume: Json) -> Iterator[tuple[str, Json, bool]]:
    if "configMap" in volume:
        yield "ConfigMap", volume["configMap"], False
    if "secret" in volume:
        yield "Secret", volume["secret"], False
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "configMap" in source:
            yield "ConfigMap", source["configMap"], True
        if "secret" in source:
            yield "Secret", source["secret"], True


def _name(source: Json) -> str:
    return str(source.get("name") or source.get("secretName") or "")
