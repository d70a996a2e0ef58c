"""GitLab runners in a cluster: found by what they mount, and read for where their jobs go.

Names say nothing: the chart calls things RELEASE-gitlab-runner, or RELEASE where that starts with
gitlab-runner, or what fullnameOverride says. So a runner is a Deployment that mounts, at /scripts
or /configmaps, a ConfigMap with the chart's register-the-runner; or one that the GitLab Runner
Operator owns, whose Runner resource names a ConfigMap in spec.config.

Facts: the chart's templates/configmap.yaml and deployment.yaml, 0.15 to 0.86.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from agtool.ci_nodepool.model import Jobs
from agtool.ci_nodepool.runner_config import (
    SELECTOR,
    TOLERATIONS,
    CannotPatch,
    Placement,
    read,
    toleration,
)
from agtool.core.errors import UsageError
from agtool.core.kube_errors import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from agtool.core.kube import Session

Json = dict[str, Any]

OPERATOR = "/apis/apps.gitlab.com/v1beta2"

_MOUNTED_AT = {"/scripts", "/configmaps"}
"""Where the chart has its scripts: up to 0.26, and since 0.29."""

_REGISTER = "register-the-runner"
_TEMPLATE = "config.template.toml"

_VARIABLES = {"KUBERNETES_NODE_SELECTOR": SELECTOR, "KUBERNETES_NODE_TOLERATIONS": TOLERATIONS}
_FLAGS = {"--kubernetes-node-selector": SELECTOR, "--kubernetes-node-tolerations": TOLERATIONS}


@dataclass(frozen=True)
class Runner:
    """One runner, as the API has it.

    Attributes:
        deployment: the manager's.
        config_map: with its template; empty: there is none.
        operator: the name of its Runner resource, if the Operator made it.
    """

    deployment: Json
    config_map: Json
    operator: str = ""

    @property
    def namespace(self) -> str:
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def chart(self) -> tuple[int, int] | None:
        """The version of its chart, major and minor, by its label."""
        labels = self.deployment["metadata"].get("labels") or {}
        chart = labels.get("chart") or labels.get("helm.sh/chart") or ""
        found = re.match(r"gitlab-runner-(\d+)\.(\d+)", chart)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def pod(self) -> Json:
        """The specification of the manager's pods."""
        spec: Json = self.deployment["spec"]["template"]["spec"]
        return spec

    @property
    def path(self) -> str:
        """The Deployment's, in the API."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.name}"

    @property
    def config_map_path(self) -> str:
        """The ConfigMap's, in the API."""
        name = self.config_map["metadata"]["name"]
        return f"/api/v1/namespaces/{self.namespace}/configmaps/{name}"

    @property
    def key(self) -> str:
        """The key of the template in the ConfigMap."""
        return "config.toml" if self.operator else _TEMPLATE


class Override(NamedTuple):
    """A setting that wins over the template.

    Attributes:
        name: of the flag or the variable.
        table: of the template, where it would stand.
        entries: what it says; None where that cannot be seen (from a Secret, say).
    """

    name: str
    table: str
    entries: Mapping[str, str] | None


# -- finding -------------------------------------------------------------------------------------


def find(session: Session, namespace: str | None) -> list[Runner]:
    """The runners of a namespace, or of all; of the session's own where others may not be seen.

    Raises what Session raises.
    """
    try:
        deployments = list(session.pages(_collection("/apis/apps/v1", "deployments", namespace)))
    except ForbiddenError:
        if namespace:
            raise
        return find(session, session.namespace)
    runners = []
    for deployment in deployments:
        if owner := _owner(deployment):
            runners.append(_of_operator(session, deployment, owner))
        else:
            for name in _mounted(deployment):
                config_map = _config_map(session, deployment, name)
                if {_REGISTER, _TEMPLATE} & set(config_map.get("data") or ()):
                    runners.append(Runner(deployment, config_map))
                    break
    return sorted(runners, key=str)


def find_jobs(session: Session, namespace: str | None) -> list[Jobs]:
    """Where the jobs of all these runners go. Raises what Session raises."""
    return [jobs(runner) for runner in find(session, namespace)]


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
            hint=f"Name one: --runner {found[0]}",
        )
    if wanted and runners:
        raise NotFoundError(
            f"there is no runner {wanted}", hint=f"There are: {', '.join(map(str, runners))}"
        )
    where = f"in namespace {namespace}" if namespace else "in the cluster, as far as we may look"
    raise NotFoundError(
        f"no GitLab runner was found {where}",
        hint="agtool knows a Deployment of the chart gitlab-runner by the ConfigMap that it mounts "
        "at /configmaps or /scripts, and those of the GitLab Runner Operator by their owner. "
        "Look with: kubectl get deployments -A | grep -i runner",
    )


def _collection(group: str, kind: str, namespace: str | None) -> str:
    return f"{group}/namespaces/{namespace}/{kind}" if namespace else f"{group}/{kind}"


def _owner(deployment: Json) -> str:
    """The name of the Operator's Runner that owns a Deployment."""
    for owner in deployment["metadata"].get("ownerReferences") or ():
        if owner["kind"] == "Runner" and owner["apiVersion"].startswith("apps.gitlab.com/"):
            return str(owner["name"])
    return ""


def _of_operator(session: Session, deployment: Json, owner: str) -> Runner:
    path = _collection(OPERATOR, "runners", deployment["metadata"]["namespace"])
    try:
        named = (session.get(f"{path}/{owner}").get("spec") or {}).get("config", "")
    except NotFoundError:  # it is being deleted, and its Deployment with it
        named = ""
    return Runner(deployment, _config_map(session, deployment, named) if named else {}, owner)


def _mounted(deployment: Json) -> Iterator[str]:
    """The names of the ConfigMaps that a Deployment mounts where the chart does."""
    pod = deployment["spec"]["template"]["spec"]
    mounted = {
        mount["name"]
        for container in pod["containers"]
        for mount in container.get("volumeMounts") or ()
        if mount["mountPath"].rstrip("/") in _MOUNTED_AT
    }
    for volume in pod.get("volumes") or ():
        if volume["name"] in mounted and "configMap" in volume:
            yield volume["configMap"]["name"]


def _config_map(session: Session, deployment: Json, name: str) -> Json:
    namespace = deployment["metadata"]["namespace"]
    try:
        return session.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    except NotFoundError:
        return {}


# -- reading -------------------------------------------------------------------------------------


def template(runner: Runner) -> str:
    """The TOML from which the runner takes where its jobs go.

    Raises:
        CannotPatch: there is none, or it is not in this ConfigMap; with what to change instead.
    """
    if runner.operator:
        return _operator_template(runner)
    data = _data(runner)
    executor = _environment(runner).get("RUNNER_EXECUTOR", "kubernetes")
    if executor not in {None, "kubernetes"}:
        raise CannotPatch(f"the executor of {runner} is {executor!r}: its jobs are no pods")
    used = _template_path(runner)
    if not used:
        raise _without_template(runner)
    if used.rpartition("/")[0] not in _MOUNTED_AT or used.rpartition("/")[2] != _TEMPLATE:
        raise CannotPatch(
            f"{runner} takes its template from {used} (runners.configPath in the Helm values), "
            "which is not in its ConfigMap",
            hint="Add the tables there, where that file comes from, and restart the runner. "
            "Print them: agtool ci-nodepool emit helm",
        )
    if _TEMPLATE not in data:
        raise CannotPatch(
            f"{runner} registers with {used}, but its ConfigMap has no {_TEMPLATE}",
            hint="Upgrade the release with what this prints: agtool ci-nodepool emit helm",
        )
    return data[_TEMPLATE]


def overrides(runner: Runner) -> list[Override]:
    """What wins over the template: flags of the registration, and the environment."""
    found = []
    for name, value in _environment(runner).items():
        if name in _VARIABLES and value != "":
            entries = None if value is None else _entries(value)
            found.append(Override(name, _VARIABLES[name], entries))
    script = _data(runner).get(_REGISTER, "")
    for name, table in _FLAGS.items():
        values = re.findall(rf"{name}[ =]+(\S+)", script)
        if values:
            entries = {}
            for value in values:
                entries.update(_entries("".join(_words(value))))
            found.append(Override(name, table, entries))
    return found


def check_overrides(runner: Runner, wanted: Placement) -> Placement:
    """The part of `wanted` that no flag and no variable says already.

    Raises:
        CannotPatch: one of them says something else, and would win.
    """
    left = dict(wanted.tables())
    for name, table, entries in overrides(runner):
        if entries is not None and left[table].items() <= entries.items():
            left[table] = {}
        elif left[table]:
            said = ", ".join(f"{k}:{v}" for k, v in (entries or {}).items()) or "what is not seen"
            where = "envVars or extraEnv" if name in _VARIABLES else "runners"
            raise CannotPatch(
                f"{name} of {runner} says {said}, and wins over the template's {table}",
                hint=f"Take it out of {where} in the Helm values, upgrade, and run this again; "
                "or print what belongs there: agtool ci-nodepool emit helm",
            )
    return Placement(left[SELECTOR], left[TOLERATIONS])


def jobs(runner: Runner) -> Jobs:
    """Where the runner's jobs may run, flags and environment included."""
    doubt = ""
    try:
        placement = read(template(runner))
    except CannotPatch as error:
        placement = Placement()
        # Without a template the flags say it all.
        if _template_path(runner) or runner.operator:
            doubt = error.message
    tables = {name: dict(entries) for name, entries in placement.tables().items()}
    for name, table, entries in overrides(runner):
        if entries is None:
            doubt = f"the value of {name} cannot be seen"
        tables[table].update(entries or {})
    tolerations = tuple(toleration(*entry) for entry in tables[TOLERATIONS].items())
    return Jobs(str(runner), tables[SELECTOR], tolerations, doubt)


def _operator_template(runner: Runner) -> str:
    if not runner.config_map:
        raise CannotPatch(
            f"the Runner resource {runner.operator} in {runner.namespace} has no spec.config, or "
            "names a ConfigMap that is not there",
            hint="Make a ConfigMap with the key config.toml, with what this prints: agtool "
            "ci-nodepool emit toml; then name it in spec.config.",
        )
    data = _data(runner)
    if "config.toml" not in data:
        raise CannotPatch(
            f"the ConfigMap {runner.config_map['metadata']['name']} of {runner} has no config.toml"
        )
    return data["config.toml"]


def _data(runner: Runner) -> Mapping[str, str]:
    data: Mapping[str, str] = runner.config_map.get("data") or {}
    return data


def _template_path(runner: Runner) -> str:
    """The template that the registration is told to use; empty: none."""
    script = _data(runner).get(_REGISTER, "")
    found = re.search(r"--template-config[ =]+(\S+)", script)
    if found:
        return "".join(_words(found[1]))
    return _environment(runner).get("TEMPLATE_CONFIG_FILE") or ""


def _without_template(runner: Runner) -> CannotPatch:
    if runner.chart and runner.chart >= (0, 26):
        return CannotPatch(
            f"{runner} has no template: runners.config is empty in its Helm values",
            hint="Upgrade the release with what this prints: agtool ci-nodepool emit helm",
        )
    version = ".".join(map(str, runner.chart)) if runner.chart else "0.15"
    return CannotPatch(
        f"{runner} has no template: its chart registers with flags in a shell script",
        hint="Upgrade the release with what this prints, or move to a newer chart: agtool "
        f"ci-nodepool emit helm --chart {version}",
    )


def _environment(runner: Runner) -> dict[str, str | None]:
    """The variables of the manager's containers; None: the value comes from elsewhere."""
    return {
        variable["name"]: None if "valueFrom" in variable else variable.get("value", "")
        for container in runner.pod["containers"]
        for variable in container.get("env") or ()
    }


def _entries(value: str) -> dict[str, str]:
    """What a flag or variable says: KEY:VALUE, or a JSON object."""
    if value.startswith("{"):
        try:
            found = json.loads(value)
        except ValueError:
            return {}
        return {str(k): str(v) for k, v in found.items()}
    key, _, rest = value.partition(":")
    return {key: rest}


def _words(text: str) -> list[str]:
    """A shell word without its quotes."""
    try:
        return shlex.split(text)
    except ValueError:
        return [text]
