"""The manifest with which `watch` runs in a cluster: its rights and its Deployment. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agtool import __version__
from agtool.ci_nodepool.presets import PRESETS

RULES: list[dict[str, list[str]]] = [
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch", "patch"]}
]
"""All that `watch` must be allowed, as in a ClusterRole."""

NAME = "agtool-ci-nodepool"
PORT = 8080

IMAGE = f"localhost/agtool/agtool-full:{__version__}"
"""The one that `make bundle` makes, by the name under which containerd imports it."""


def watch_manifest(arguments: Sequence[str], *, namespace: str, image: str) -> str:
    """YAML documents for kubectl apply; `arguments` are those of `watch`.

    The image's entrypoint must be agtool.
    """
    command = ["ci-nodepool", "watch", *arguments, "--listen", f":{PORT}"]
    preemptible = "".join(
        f"                  - {{key: {preset.label.key}, operator: NotIn, "
        f"values: [{json.dumps(preset.label.value)}]}}\n"
        for preset in PRESETS.values()
    )
    rules = "".join(f"  - {json.dumps(rule)}\n" for rule in RULES)
    labels = f"{{app.kubernetes.io/name: {NAME}}}"
    return f"""\
# Apply it with: kubectl apply -f FILE. The ClusterRole has all rights that it needs.
# Several replicas, or several of these, do each other no harm; one is enough.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {NAME}
  namespace: {json.dumps(namespace)}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {NAME}
rules:
{rules}---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {NAME}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {NAME}
subjects:
  - kind: ServiceAccount
    name: {NAME}
    namespace: {json.dumps(namespace)}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {NAME}
  namespace: {json.dumps(namespace)}
  labels: {labels}
spec:
  replicas: 1
  selector:
    matchLabels: {labels}
  template:
    metadata:
      labels: {labels}
      annotations: {{prometheus.io/scrape: "true", prometheus.io/port: "{PORT}"}}
    spec:
      serviceAccountName: {NAME}
      # It had better not run on the nodes that it watches, which go away. It tolerates no taint.
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              preference:
                matchExpressions:
{preemptible}      containers:
        - name: watch
          image: {json.dumps(image)}
          args: {json.dumps(command)}
          ports:
            - {{name: health, containerPort: {PORT}}}
          readinessProbe:
            httpGet: {{path: /readyz, port: health}}
            periodSeconds: 5
          livenessProbe:
            httpGet: {{path: /healthz, port: health}}
            periodSeconds: 30
            failureThreshold: 5
          resources:
            requests: {{cpu: 10m, memory: 64Mi}}
            limits: {{memory: 128Mi}}
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
            seccompProfile: {{type: RuntimeDefault}}
"""
