"""The manifest with which `watch` runs in a cluster: its rights and its Deployment. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

RULES: list[dict[str, list[str]]] = [
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch", "patch"]}
]
"""All that `watch` must be allowed, as in a ClusterRole."""

NAME = "agtool-ci-nodepool"
PORT = 8080


def watch_manifest(arguments: Sequence[str], *, namespace: str, image: str) -> str:
    """YAML documents for kubectl apply; `arguments` are those of `watch`."""
    command = ["agtool", "ci-nodepool", "watch", *arguments, "--listen", f":{PORT}"]
    rules = "".join(f"  - {json.dumps(rule)}\n" for rule in RULES)
    labels = f"{{app.kubernetes.io/name: {NAME}}}"
    return f"""\
# Apply it with: kubectl apply -f FILE. The ClusterRole has all rights that it needs.
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
  replicas: 1  # more are harmless, and not needed
  selector:
    matchLabels: {labels}
  template:
    metadata:
      labels: {labels}
      annotations: {{prometheus.io/scrape: "true", prometheus.io/port: "{PORT}"}}
    spec:
      serviceAccountName: {NAME}
      # No toleration: it must not run on the nodes that it watches, which go away.
      containers:
        - name: watch
          image: {json.dumps(image)}  # an image that has agtool
          command: {json.dumps(command)}
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
"""
