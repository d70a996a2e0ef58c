"""A policy by which the API server itself taints new nodes of a pool. Pure.

`watch` taints a node a moment after it came, and pods may be quicker. A MutatingAdmissionPolicy
works while the node is created, so that there is no such moment. Source: Kubernetes 1.37,
admissionregistration.k8s.io/v1 and its CEL library for JSON patches.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agtool.ci_nodepool.emit.manifest import NAME
from agtool.ci_nodepool.model import Label, Taint


def admission_policy(labels: Sequence[Label], taints: Sequence[Taint]) -> str:
    """YAML documents for kubectl apply: the policy, and its binding."""
    label_checks = "".join(
        f"\n    - name: has-label-{number}\n      expression: {_cel(_has_label(label))}"
        for number, label in enumerate(labels)
    )
    mutations = "".join(_mutation(taint) for taint in taints)
    # Several pools may have a policy each.
    name = f"{NAME}-{_slug(labels)}"
    return f"""\
# Needs Kubernetes 1.36 or newer (admissionregistration.k8s.io/v1). Apply it with: kubectl apply
# -f FILE. It sees the labels with which a kubelet registers its node. Those that a controller of
# the cloud adds later come too late for it, and are for `watch`.
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata:
  name: {name}
spec:
  # A node that cannot be tainted does not come: an untainted one would take other pods.
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE]
        resources: [nodes]
  matchConditions:{label_checks}
  mutations:{mutations}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata:
  name: {name}
spec:
  policyName: {name}
"""


def _has_label(label: Label) -> str:
    key, value = json.dumps(label.key), json.dumps(label.value)
    labels = "object.metadata.labels"
    return f"has({labels}) && {key} in {labels} && {labels}[{key}] == {value}"


def _mutation(taint: Taint) -> str:
    """The step that adds one taint, if the node does not have it."""
    key, value, effect = map(json.dumps, taint)
    fields = f"key: {key}, effect: {effect}" + (f", value: {value}" if taint.value else "")
    made = f"Object.spec.taints{{{fields}}}"
    there = "has(object.spec) && has(object.spec.taints)"
    same = f"t.key == {key} && t.effect == {effect}"
    steps = (
        f"{there} ? (object.spec.taints.exists(t, {same}) ? [] : "
        f'[JSONPatch{{op: "add", path: "/spec/taints/-", value: {made}}}]) : '
        f'[JSONPatch{{op: "add", path: "/spec/taints", value: [{made}]}}]'
    )
    return f"""
    - patchType: JSONPatch
      jsonPatch:
        expression: {_cel(steps)}"""


def _cel(expression: str) -> str:
    return json.dumps(expression)


def _slug(labels: Sequence[Label]) -> str:
    text = "-".join(f"{label.key}-{label.value}" for label in labels).lower()
    return "".join(char if char.isalnum() else "-" for char in text).strip("-")[-60:].strip("-")
