"""GitLab runners in a cluster, found by what they run and mount.

Names say nothing: the chart calls things RELEASE-gitlab-runner, or RELEASE where that starts with
gitlab-runner, or what fullnameOverride says. So a runner is a Deployment that mounts, at /scripts
or /configmaps, a ConfigMap with the chart's register-the-runner; or one that the GitLab Runner
Operator owns, whose Runner resource names a ConfigMap in spec.config; or a Deployment or
StatefulSet that runs gitlab-runner by itself (`by_hand`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agtool.ci_nodepool.runner import by_hand
from agtool.ci_nodepool.runner.model import MOUNTED_AT, REGISTER, TEMPLATE, Runner, Source
from agtool.ci_nodepool.runner.pod.build import RuntimeClasses
from agtool.ci_nodepool.runner.read import jobs
from agtool.ci_nodepool.runner.reader import Reader
from agtool.core.errors import UsageError
from agtool.core.finding import Finding
from agtool.core.kube.errors import ForbiddenError, NotFoundError
from agtool.core.kube.session import Json

OPERATOR = "/apis/apps.gitlab.com/v1beta2"


def candidates(session: Reader, namespace: str | None) -> list[Json]:
    """The Deployments and StatefulSets that may be runners, of a namespace or of all.

    Each has its `kind`, which the API leaves out of lists.

    Raises what Session raises.
    """
    found, _ = _workloads(session, namespace)
    return found


def find(session: Reader, namespace: str | None) -> list[Runner]:
    """The runners of a namespace, or of all; of the session's own where others may not be seen.

    Raises what Session raises.
    """
    found, _ = _find(session, namespace)
    return found


def find_visible(
    session: Reader, namespace: str | None, purpose: str
) -> tuple[list[Runner], list[Finding]]:
    """The same as far as we may look, and a warning where we may not look for `purpose`."""
    try:
        found, unseen = _find(session, namespace)
    except ForbiddenError as error:
        found, unseen = [], [error]
    return found, [
        Finding("unseen", f"cannot look for {purpose}: {error.message}", error.hint)
        for error in unseen
    ]


def choose(runners: list[Runner], wanted: str | None, namespace: str | None) -> Runner:
    """The one that is meant: NAMESPACE/NAME, or NAME, or the only one.

    Raises:
        NotFoundError: there is none.
        UsageError: there are several.
    """
    found = [r for r in runners if wanted in {None, str(r), r.name}]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"there are {len(found)} runners: {', '.join(map(str, found))}",
            hint=f"Name one: --runner {found[0]}. For all of them: --all-runners",
        )
    if wanted and runners:
        raise NotFoundError(
            f"there is no runner {wanted}", hint=f"These exist: {', '.join(map(str, runners))}"
        )
    place = f"in namespace {namespace}" if namespace else "in the cluster, as far as you may look"
    raise NotFoundError(
        f"no GitLab runner was found {place}",
        hint="agtool recognizes a Deployment of the chart gitlab-runner by the ConfigMap that it "
        "mounts at /configmaps or /scripts, one of the GitLab Runner Operator by its owner, and "
        "other Deployments and StatefulSets by the image or the command gitlab-runner. "
        "Look for it: kubectl get deployments,statefulsets -A | grep -i runner",
    )


def choose_all(
    runners: list[Runner], wanted: Sequence[str], namespace: str | None, *, every: bool
) -> list[Runner]:
    """Those that are meant: each of these names, or every one, or the only one.

    Raises: as `choose`.
    """
    if every and runners:
        return runners
    if not wanted:
        return [choose(runners, None, namespace)]
    found = [choose(runners, name, namespace) for name in wanted]
    return list({str(runner): runner for runner in found}.values())


def _find(session: Reader, namespace: str | None) -> tuple[list[Runner], list[ForbiddenError]]:
    """The runners, and what could not be looked at although it may be one."""
    workloads, unseen = _workloads(session, namespace)
    runners = [
        replace(runner, classes=_classes(session, runner))
        for workload in workloads
        if (runner := _runner(session, workload))
    ]
    return sorted(runners, key=str), unseen


def _workloads(session: Reader, namespace: str | None) -> tuple[list[Json], list[ForbiddenError]]:
    scope = f"/namespaces/{namespace}" if namespace else ""
    try:
        found = [
            {"kind": "Deployment", **one}
            for one in session.pages(f"/apis/apps/v1{scope}/deployments")
            if _owner(one) or any(_mounted(one)) or by_hand.runs(one)
        ]
    except ForbiddenError:
        if namespace:
            raise
        return _workloads(session, session.namespace)
    try:
        found += [
            {"kind": "StatefulSet", **one}
            for one in session.pages(f"/apis/apps/v1{scope}/statefulsets")
            if by_hand.runs(one)
        ]
    except ForbiddenError as error:
        return found, [error]
    return found, []


def _runner(session: Reader, workload: Json) -> Runner | None:
    if owner := _owner(workload):
        return _of_operator(session, workload, owner)
    for name in _mounted(workload) if workload["kind"] == "Deployment" else ():
        config_map = _config_map(session, workload, name)
        if {REGISTER, TEMPLATE} & set(config_map.get("data") or ()):
            return Runner(workload, config_map, sources=_sources(session, workload))
    if by_hand.runs(workload):
        return by_hand.read(session, workload, _sources(session, workload))
    return None


def _owner(deployment: Json) -> str:
    """The name of the Operator's Runner that owns a Deployment."""
    for owner in deployment["metadata"].get("ownerReferences") or ():
        if owner["kind"] == "Runner" and owner["apiVersion"].startswith("apps.gitlab.com/"):
            return str(owner["name"])
    return ""


def _of_operator(session: Reader, deployment: Json, owner: str) -> Runner:
    path = f"{OPERATOR}/namespaces/{deployment['metadata']['namespace']}/runners/{owner}"
    # Where it is not there it is being deleted, and its Deployment with it.
    named = (_get(session, path).get("spec") or {}).get("config", "")
    config_map = _config_map(session, deployment, named) if named else {}
    return Runner(deployment, config_map, owner, _sources(session, deployment))


def _mounted(deployment: Json) -> Iterator[str]:
    """The names of the ConfigMaps that a Deployment mounts where the chart does."""
    pod = deployment["spec"]["template"]["spec"]
    mounted = {
        mount["name"]
        for container in pod["containers"]
        for mount in container.get("volumeMounts") or ()
        if mount["mountPath"].rstrip("/") in MOUNTED_AT
    }
    for volume in pod.get("volumes") or ():
        if volume["name"] in mounted and "configMap" in volume:
            yield volume["configMap"]["name"]


def _config_map(session: Reader, deployment: Json, name: str) -> Json:
    namespace = deployment["metadata"]["namespace"]
    return _get(session, f"/api/v1/namespaces/{namespace}/configmaps/{name}")


def _get(session: Reader, path: str) -> Json:
    """An object, or nothing if it is not there."""
    try:
        return session.get(path)
    except NotFoundError:
        return {}


def _classes(session: Reader, runner: Runner) -> RuntimeClasses:
    """The runtime classes that its jobs name, as far as we may look."""
    found: dict[str, Json | None] = {}
    named = (each.spec.get("runtimeClassName") for each in jobs(runner))
    for name in dict.fromkeys(filter(None, named)):
        try:
            found[name] = session.get(f"/apis/node.k8s.io/v1/runtimeclasses/{name}")
        except NotFoundError:
            found[name] = None
        except ForbiddenError:
            continue  # what it chooses is then a doubt
    return found


def _sources(session: Reader, deployment: Json) -> tuple[Source, ...]:
    """What fills the environment of the manager's containers, in this order."""
    namespace = deployment["metadata"]["namespace"]
    found = []
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for entry in container.get("envFrom") or ():
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in entry:
                    name, prefix = entry[field]["name"], entry.get("prefix", "")
                    found.append(_source(session, namespace, kind, name, prefix))
    return tuple(found)


def _source(session: Reader, namespace: str, kind: str, name: str, prefix: str) -> Source:
    try:
        # Where it is not there it is optional, or the manager cannot start.
        data = _get(session, f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}").get("data")
    except ForbiddenError as error:
        return Source(f"{kind} {name}", {}, error.message)
    values = {f"{prefix}{key}": value for key, value in (data or {}).items()}
    return Source(f"{kind} {name}", dict.fromkeys(values) if kind == "Secret" else values)
