"""What a workload gets: two init containers and a volume, or one container that is wrapped. Pure.

Facts: an init container takes the pod's volumes and the security context of the pod, and runs
before those behind it; one with restartPolicy Always, such as a proxy, runs on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agtool.core.yamltext import Path
from agtool.migrate_once.inject.operation import Insert, Operation
from agtool.migrate_once.inject.problem import ManifestError
from agtool.migrate_once.words import FOLDER, LAUNCHER

INSTALL = "agtool-install"
"""The container that copies the folder."""

MIGRATE = "agtool-migrate-once"
"""The container that runs COMMAND, and the volume with the folder."""

ANNOTATION = "agtool/migrate-once"
"""What a wrapped container was, and whatever else was replaced."""

INIT: Path = ("initContainers",)
VOLUMES: Path = ("volumes",)

NOBODY = 65532
"""The user of agtool's image."""

_COPIED = ("imagePullPolicy", "workingDir", "env", "envFrom", "securityContext", "resources")


class Wish(NamedTuple):
    """What a person wants.

    Attributes:
        image: with agtool's folder.
        method: copy or image-volume.
        arguments: agtool's own, without --key.
        key: None: that of the image.
        command: None: the manifest has it.
        container: whose image runs COMMAND; None: the only one.
        init_container: that is wrapped; None: a new one is made.
        variables: the options among the arguments that name one of the container's, and its name.
        told: whether the arguments say which database it is.
    """

    image: str
    method: str
    arguments: tuple[str, ...]
    key: str | None
    command: tuple[str, ...] | None
    container: str | None
    init_container: str | None
    variables: Mapping[str, str] = {}
    told: bool = False


def additions(
    spec: Mapping[str, Any], path: Path, wish: Wish, base: Mapping[str, Any], key: str
) -> list[Operation]:
    """What is to be done to an object for a new init container, or for one that is wrapped.

    Args:
        spec: of its pods.
        path: of that.
        base: the container whose image runs COMMAND.
        key: for --key.
    """
    own = [LAUNCHER, "migrate-once", *_literal([f"--key={key}", *wish.arguments])]
    said = _literal(wish.command or ())
    volume = Insert((*path, *VOLUMES), [_volume(wish)])
    install = [_installer(wish, spec)] if wish.method == "copy" else []
    if wish.init_container is None:
        # Of a container of our own `kubectl describe pod` shows the result as its message.
        command = [*own, "--result-file=/dev/termination-log", "--", *said]
        made = [*install, _migrator(base, command)]
        return [Insert((*path, *INIT), made, None), volume]
    at = next(i for i, each in enumerate(spec["initContainers"]) if each is base)
    there: Path = (*path, *INIT, at)
    prefix = [*own, "--", *said]
    done: list[Operation] = [
        Insert((*there, "command"), prefix),
        Insert((*there, "volumeMounts"), [_mount()]),
    ]
    if not _has_pod_name(base):
        done.append(Insert((*there, "env"), [_pod_name()]))
    if install:  # after what counts its containers
        done.append(Insert((*path, *INIT), install, at))
    return [*done, volume]


def _literal(words: Iterable[str]) -> list[str]:
    """Words of which the kubelet makes these, with the values of $(NAME).

    It makes one $ of two (kubernetes/third_party/forked/golang/expansion).
    """
    return [word.replace("$$", "$$$$") for word in words]


def _installer(wish: Wish, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The container that copies the folder; it meets the Pod Security Standard `restricted`.

    Its user is the image's own, or that of the pods, which need not be ours: OpenShift admits
    none that it has not chosen. Where the pods are root's, it says another one.
    """
    pods = spec.get("securityContext") or {}
    user = {"runAsUser": NOBODY} if str(pods.get("runAsUser")) == "0" else {}
    return {
        "name": INSTALL,
        "image": wish.image,
        "args": ["install", f"{FOLDER}/agtool"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            **user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"},
        },
        "volumeMounts": [{"name": MIGRATE, "mountPath": FOLDER}],
    }


def _migrator(base: Mapping[str, Any], command: Sequence[str]) -> dict[str, Any]:
    """The container that runs COMMAND, with the rights and settings of the workload's own."""
    made: dict[str, Any] = {"name": MIGRATE, "image": base["image"], "command": list(command)}
    made |= {name: base[name] for name in _COPIED if base.get(name) is not None}
    made["env"] = [*(base.get("env") or ())]
    if not _has_pod_name(base):
        made["env"].append(_pod_name())
    made["volumeMounts"] = [*(base.get("volumeMounts") or ()), _mount()]
    # Should agtool not start at all, the end of the log says why.
    made["terminationMessagePolicy"] = "FallbackToLogsOnError"
    return made


def _mount() -> dict[str, Any]:
    return {"name": MIGRATE, "mountPath": FOLDER, "readOnly": True}


def _volume(wish: Wish) -> dict[str, Any]:
    if wish.method == "copy":
        return {"name": MIGRATE, "emptyDir": {}}
    return {"name": MIGRATE, "image": {"reference": wish.image}}


def _pod_name() -> dict[str, Any]:
    return {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def _has_pod_name(container: Mapping[str, Any]) -> bool:
    return any(each.get("name") == "POD_NAME" for each in listed(container, "env"))


def is_ours(item: Any) -> bool:
    """Whether a container or a volume is one that agtool has added."""
    if not isinstance(item, Mapping):
        return False
    if item.get("name") == INSTALL:
        return list(item.get("args") or ()) == ["install", f"{FOLDER}/agtool"]
    if item.get("name") != MIGRATE:
        return False
    return (
        is_wrapped(item) or "emptyDir" in item or ("image" in item and "reference" in item["image"])
    )


def is_wrapped(container: Any) -> bool:
    """Whether the command of a container begins with agtool's."""
    command = container.get("command") if isinstance(container, Mapping) else None
    return isinstance(command, list) and command[:1] == [LAUNCHER] and "--" in command


def own_words(container: Mapping[str, Any]) -> int:
    """How many words of a wrapped container's command are agtool's."""
    return list(container["command"]).index("--") + 1


def foreign(spec: Mapping[str, Any]) -> Iterator[str]:
    """What has a name of ours and is somebody else's, such as `volume agtool-migrate-once`."""
    for field in ("initContainers", "containers", "ephemeralContainers", "volumes"):
        for item in listed(spec, field):
            named = item.get("name")
            if named in (INSTALL, MIGRATE) and not (
                is_ours(item) and field in ("initContainers", "volumes")
            ):
                if field == "volumes" and named == INSTALL:
                    continue
                yield f"{'volume' if field == 'volumes' else 'container'} {named}"


def listed(spec: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """The items of a list that are mappings.

    Raises:
        ManifestError: the field is no list.
    """
    found = spec.get(field)
    if found is None:
        return []
    if not isinstance(found, list):
        raise ManifestError(f"{field} is not a list", hint="Correct the manifest.")
    return [item for item in found if isinstance(item, Mapping)]
