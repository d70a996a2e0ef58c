"""GitLab runners as the chart and the Operator make them: objects of our own, trimmed.

Each imitates what a version of the chart gitlab-runner renders, as far as agtool looks at it: which
ConfigMap is mounted where, its keys, how the registration is told of a template, labels, and the
environment. The scripts are ours. Between 0.15 and 0.86 these changed:

  0.15  flags only; mounted at /scripts
  0.19  the same, and a flag for tolerations
  0.26  runners.config becomes config.template.toml
  0.29  mounted at /configmaps
  0.41  a release whose name starts with gitlab-runner no longer doubles it
  0.86  no init container; the template is there only if runners.config is
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

DEFAULT_TEMPLATE = """\
[[runners]]
  [runners.kubernetes]
    namespace = "ci"
    image = "alpine"
"""


@dataclass
class Chart:
    """A release of the chart.

    Attributes:
        version: such as 0.86.0.
        template: `runners.config`, rendered; None: it is empty.
        template_path: `runners.configPath`.
        flags: of the registration, as lines.
        image: of the manager; a real one would need GitLab to register with.
        command: of the manager; None: the chart's own.
    """

    version: str
    release: str = "ci"
    namespace: str = "gitlab"
    template: str | None = DEFAULT_TEMPLATE
    template_path: str = ""
    flags: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    image: str = "registry.example/gitlab-runner"
    command: Sequence[str] | None = None
    readiness: Sequence[str] | None = None
    grace: int = 3600
    full_name: str = ""

    @property
    def minor(self) -> int:
        """The second number of the version."""
        return int(self.version.split(".")[1])

    @property
    def name(self) -> str:
        """The name of all its objects, by the rules of this version."""
        if self.full_name:
            return self.full_name
        if self.minor >= 41 and self.release.startswith("gitlab-runner"):
            return self.release
        return f"{self.release}-gitlab-runner"

    @property
    def mounted_at(self) -> str:
        """Where the ConfigMap is mounted."""
        return "/configmaps" if self.minor >= 29 else "/scripts"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all its objects."""
        chart = f"gitlab-runner-{self.version}"
        return {"app": self.name, "chart": chart, "release": self.release, "heritage": "Helm"}

    @property
    def config_map(self) -> Object:
        """The ConfigMap."""
        arguments = [*self.flags]
        data = {
            "entrypoint": f"#!/bin/sh\ncp {self.mounted_at}/config.toml /etc/gitlab-runner/\n"
            f"sh {self.mounted_at}/register-the-runner && exec gitlab-runner run\n",
            "config.toml": "concurrent = 10\ncheck_interval = 30\n",
            "check-live": "#!/bin/sh\npgrep gitlab-runner\n",
        }
        if self.minor < 80:
            data["configure"] = "cp /init-secrets/* /secrets\n"
        if self.minor >= 26:
            data["pre-entrypoint-script"] = ""
            if self.template is not None:
                data["config.template.toml"] = self.template
                arguments.append(f"--template-config {self.mounted_at}/config.template.toml")
            elif self.template_path:
                arguments.append(f"--template-config {self.template_path}")
        lines = "".join(f"  {argument} \\\n" for argument in arguments)
        data["register-the-runner"] = (
            f"#!/bin/sh\ngitlab-runner register \\\n{lines}  --non-interactive\n"
        )
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self._metadata(),
            "data": data,
        }

    @property
    def deployment(self) -> Object:
        """The Deployment."""
        volume = self.mounted_at.strip("/")
        variables = {
            "CI_SERVER_URL": "https://gitlab.example",
            "RUNNER_EXECUTOR": "kubernetes",
            **self.environment,
        }
        command = self.command or ["/bin/sh", f"{self.mounted_at}/entrypoint"]
        container: Object = {
            "name": self.name,
            "image": self.image,
            "command": list(command),
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "volumeMounts": [
                {"name": "etc-gitlab-runner", "mountPath": "/etc/gitlab-runner"},
                {"name": volume, "mountPath": self.mounted_at},
            ],
        }
        if self.readiness:
            probe = {"exec": {"command": list(self.readiness)}, "periodSeconds": 1}
            container["readinessProbe"] = probe
        pod: Object = {
            "terminationGracePeriodSeconds": self.grace,
            "containers": [container],
            "volumes": [
                {"name": "etc-gitlab-runner", "emptyDir": {"medium": "Memory"}},
                {"name": volume, "configMap": {"name": self.name}},
            ],
        }
        if self.node_selector:
            pod["nodeSelector"] = dict(self.node_selector)
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self._metadata(),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": self.name}},
                "template": {"metadata": {"labels": self.labels}, "spec": pod},
            },
        }

    def _metadata(self) -> Object:
        return {"name": self.name, "namespace": self.namespace, "labels": self.labels}


# The Operator's custom resource, with the fields that matter here (apps.gitlab.com/v1beta2).
RUNNER_CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "runners.apps.gitlab.com"},
    "spec": {
        "group": "apps.gitlab.com",
        "names": {"kind": "Runner", "listKind": "RunnerList", "plural": "runners"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1beta2",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "gitlabUrl": {"type": "string"},
                                    "token": {"type": "string"},
                                    "config": {"type": "string"},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


def operator_deployment(name: str, namespace: str, uid: str) -> Object:
    """The Deployment that the Operator makes for the Runner resource `name` with this uid."""
    deployment = Chart("0.86.0", release=name, namespace=namespace).deployment
    deployment["metadata"] = {
        "name": f"{name}-runner",
        "namespace": namespace,
        "ownerReferences": [
            {
                "apiVersion": "apps.gitlab.com/v1beta2",
                "kind": "Runner",
                "name": name,
                "uid": uid,
                "controller": True,
            }
        ],
    }
    return deployment
