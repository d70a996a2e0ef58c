"""A GitLab runner as the API has it. Pure.

Facts: the chart's templates/configmap.yaml and deployment.yaml, 0.15 to 0.86.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from agtool.ci_nodepool.model import RECORD
from agtool.ci_nodepool.runner.pod.build import RuntimeClasses
from agtool.core.kube.session import Json

MOUNTED_AT = {"/scripts", "/configmaps"}
"""Where the chart has its scripts: up to 0.26, and since 0.29."""

REGISTER = "register-the-runner"
TEMPLATE = "config.template.toml"
"""The keys of the chart's ConfigMap that matter here."""


class Source(NamedTuple):
    """A ConfigMap or Secret that fills the environment of the manager (envFrom).

    Attributes:
        name: for people.
        variables: what it sets; None for a value of a Secret, which stays there.
        unseen: why it could not be read, else empty.
    """

    name: str
    variables: Mapping[str, str | None]
    unseen: str = ""


class Place(NamedTuple):
    """Where a mounted file comes from.

    Attributes:
        kind: ConfigMap or Secret.
        name: of it.
        key: in it.
        projected: whether by a projected volume.
    """

    kind: str
    name: str
    key: str
    projected: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Kept(NamedTuple):
    """How a runner is kept by hand.

    Attributes:
        kind: of its workload: Deployment or StatefulSet.
        path: of its configuration in the container.
        key: of the configuration in its place; empty: it was not found.
        place: where that is; None: it was not found.
        template: whether it is a template with which the manager registers at its start.
        unread: why the configuration could not be read, else empty.
    """

    kind: str
    path: str
    key: str = ""
    place: Place | None = None
    template: bool = False
    unread: str = ""


@dataclass(frozen=True)
class Runner:
    """One runner, as the API has it.

    Attributes:
        deployment: the manager's; of a runner kept by hand perhaps a StatefulSet.
        config_map: with its template; empty: there is none.
        operator: the name of its Runner resource, if the Operator made it.
        sources: of its environment; the later wins, and `env` of the Deployment over all.
        kept: how it is kept by hand; None: it is of the chart or of the Operator.
        classes: the runtime classes that its jobs name, as far as they could be looked up.
    """

    deployment: Json
    config_map: Json
    operator: str = ""
    sources: tuple[Source, ...] = ()
    kept: Kept | None = None
    classes: RuntimeClasses = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def subject(self) -> str:
        """What a Finding about it is about."""
        return f"runner {self}"

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
    def environment(self) -> dict[str, str | None]:
        """The variables of the manager's containers; None: the value cannot be seen."""
        found: dict[str, str | None] = {}
        for source in self.sources:
            found.update(source.variables)
        for container in self.pod["containers"]:
            for variable in container.get("env") or ():
                seen = "valueFrom" not in variable
                found[variable["name"]] = variable.get("value", "") if seen else None
        return found

    @property
    def kind(self) -> str:
        """The workload's, as kubectl takes it: deployment or statefulset."""
        return (self.kept.kind if self.kept else "Deployment").lower()

    @property
    def path(self) -> str:
        """The workload's, in the API."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/{self.kind}s/{self.name}"

    @property
    def config_map_path(self) -> str:
        """The ConfigMap's, in the API."""
        name = self.config_map["metadata"]["name"]
        return f"/api/v1/namespaces/{self.namespace}/configmaps/{name}"

    @property
    def key(self) -> str:
        """The key of the template in the ConfigMap."""
        if self.kept:
            return self.kept.key
        return "config.toml" if self.operator else TEMPLATE

    @property
    def data(self) -> Mapping[str, str]:
        """Of the ConfigMap."""
        return self.config_map.get("data") or {}

    @property
    def record(self) -> str:
        """The annotation of the ConfigMap; empty: agtool has not changed it."""
        annotations = self.config_map.get("metadata", {}).get("annotations") or {}
        return str(annotations.get(RECORD, ""))


def words_of(pod: Json) -> list[str]:
    """What the containers of a pod run, as words."""
    return [
        str(word)
        for container in pod["containers"]
        for word in (*(container.get("command") or ()), *(container.get("args") or ()))
    ]
