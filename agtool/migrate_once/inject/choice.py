"""Which container runs COMMAND, with which key, against which database. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agtool.migrate_once.inject.additions import Wish, foreign, is_wrapped, listed
from agtool.migrate_once.inject.key import check_key, key_of
from agtool.migrate_once.inject.problem import ManifestError
from agtool.migrate_once.words import FOLDER

ARCHITECTURES = ("amd64", "arm64")
"""For which there is a folder."""

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

FOUND_BY_ITSELF = (
    *("AGTOOL_DATABASE_URL", "AGTOOL_DATABASE_URL_FILE", "DATABASE_URL"),
    *("SQLALCHEMY_DATABASE_URI", "PGHOST", "PGHOSTADDR", "PGSERVICE", "POSTGRES_HOST"),
    *("MYSQL_HOST", "MARIADB_HOST", "POSTGRES_HOST_FILE", "MYSQL_HOST_FILE", "MARIADB_HOST_FILE"),
    *("AGTOOL_ENGINE", "AGTOOL_HOST"),
)
"""Variables that tell agtool which database it is, without an option."""


def check_pod(spec: Mapping[str, Any]) -> None:
    """Raises ManifestError if nothing can be added to a pod of this specification."""
    if not listed(spec, "containers"):
        raise ManifestError("it has no containers", hint="Correct the manifest.")
    if (spec.get("os") or {}).get("name") == "windows":
        raise ManifestError("its pods run on Windows, and agtool on Linux only")
    for label in ("kubernetes.io/arch", "beta.kubernetes.io/arch"):
        wanted = (spec.get("nodeSelector") or {}).get(label)
        if wanted and wanted not in ARCHITECTURES:
            raise ManifestError(
                f"its nodeSelector asks for {label}={wanted}, and agtool's folder is there for "
                f"{' and '.join(ARCHITECTURES)} only",
                hint="Install agtool in the image with pip instead.",
            )
    if others := ", ".join(foreign(spec)):
        raise ManifestError(
            f"{others} is there already, and was not added by agtool",
            hint="Give it another name: agtool adds one of this name.",
        )


def choose(
    spec: Mapping[str, Any], annotations: Mapping[str, Any], wish: Wish
) -> Mapping[str, Any]:
    """The container whose image runs COMMAND: one of the pod's, or the one that is wrapped.

    Args:
        annotations: of the pods.

    Raises:
        ManifestError: it is not there, nothing says which it is, or it is not fit for that.
    """
    found = _wrapped(spec, wish) if wish.init_container else _one(spec, annotations, wish.container)
    name = found.get("name")
    if found.get("image") is not None and not isinstance(found["image"], str):
        raise ManifestError(
            f"the image of the container {name} is not text", hint="Put it in quotes."
        )
    if found.get("image") is None:
        raise ManifestError(f"the container {name} has no image", hint="Correct the manifest.")
    if "{{" in found["image"]:
        raise ManifestError(
            f"the image of the container {name} is {found['image']}: it is a template that was not "
            "rendered",
            hint="Render it first: helm template RELEASE CHART | agtool migrate-once inject ...",
        )
    if any(each.get("mountPath") == FOLDER for each in listed(found, "volumeMounts")):
        raise ManifestError(f"the container {name} mounts another volume at {FOLDER}")
    return found


def _one(
    spec: Mapping[str, Any], annotations: Mapping[str, Any], name: str | None
) -> Mapping[str, Any]:
    there = listed(spec, "containers")
    names = [str(each.get("name")) for each in there]
    wanted = name or (names[0] if len(names) == 1 else annotations.get(DEFAULT_CONTAINER))
    if wanted is None:
        raise ManifestError(
            f"it has several containers: {', '.join(names)}",
            hint="Say with --container NAME whose image has COMMAND.",
        )
    if wanted not in names:
        raise ManifestError(
            f"it has no container {wanted}", hint=f"Its containers: {', '.join(names)}."
        )
    return there[names.index(wanted)]


def _wrapped(spec: Mapping[str, Any], wish: Wish) -> Mapping[str, Any]:
    there = listed(spec, "initContainers")
    names = [str(each.get("name")) for each in there]
    if wish.init_container not in names:
        has = f"Its init containers: {', '.join(names)}." if names else "It has none."
        raise ManifestError(f"it has no init container {wish.init_container}", hint=has)
    found = there[names.index(wish.init_container)]
    if found.get("restartPolicy") == "Always":
        raise ManifestError(
            f"the init container {wish.init_container} is a sidecar (restartPolicy: Always), which "
            "does not end"
        )
    if is_wrapped(found):
        raise ManifestError(
            f"the init container {wish.init_container} runs agtool already, in words that inject "
            "has not put there",
            hint="Leave it so; or take the words up to -- out of its command by hand.",
        )
    if found.get("command") and wish.command:
        raise ManifestError(
            f"the init container {wish.init_container} has a command, which is kept",
            hint="Leave out --command and what follows --.",
        )
    if not (found.get("command") or wish.command):
        raise ManifestError(
            f"the init container {wish.init_container} has no command: that of its image "
            "(ENTRYPOINT) runs, which the manifest does not tell",
            hint="Say it, without the args that the manifest has: --command PROGRAM. "
            "`docker image inspect IMAGE` shows it as Entrypoint, and as Cmd if there are no args.",
        )
    return found


def choose_key(container: Mapping[str, Any], wish: Wish) -> str:
    """The key: the one that was given, or the image's reference. Raises ManifestError."""
    return check_key(wish.key) if wish.key is not None else key_of(str(container["image"]))


def check_database(
    container: Mapping[str, Any], variables: Mapping[str, str], *, told: bool
) -> None:
    """Check that the container has the variables that say which database it is.

    Args:
        variables: the options that name a variable, and its name.
        told: whether options say which database it is.

    Raises:
        ManifestError: it has not; where it takes variables from a ConfigMap or a Secret, nobody
            can tell.
    """
    if listed(container, "envFrom"):
        return
    there = [str(each.get("name")) for each in listed(container, "env")]
    has = f"It has: {', '.join(there)}." if there else "It has no variables."
    name = container.get("name")
    for option, variable in variables.items():
        if variable not in there:
            raise ManifestError(
                f"the container {name} has no variable {variable}, which {option} names", hint=has
            )
    if not told and not _any(FOUND_BY_ITSELF, there):
        raise ManifestError(
            f"nothing says which database it is: the container {name} has no DATABASE_URL, nor "
            "another variable that agtool knows",
            hint="Name the variable with its URL, --database-url-env NAME, or those with its "
            f"parts: --engine postgresql --host-env NAME ... {has}",
        )


def _any(names: Iterable[str], there: Iterable[str]) -> bool:
    return bool(set(names) & set(there))
