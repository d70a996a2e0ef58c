"""Runners found and read on a real API server."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agtool.ci_nodepool.runner.find import find
from agtool.ci_nodepool.runner.placement import CannotPatch
from agtool.ci_nodepool.runner.plan import plan_patch
from agtool.ci_nodepool.runner.settings import overrides
from agtool.core.kube.session import Session, connect
from tests.cluster.api import Api, define
from tests.cluster.server import Server
from tests.gitlab_runner import DEFAULT_TEMPLATE, RUNNER_CRD, Chart, operator_deployment
from tests.integration.ci_nodepool.conftest import WANTED, install, only


@pytest.mark.parametrize(
    ("chart", "name"),
    [
        (Chart("0.15.0", "ci"), "ci-gitlab-runner"),
        (Chart("0.19.2", "gitlab-runner"), "gitlab-runner-gitlab-runner"),
        (Chart("0.26.0", "ci"), "ci-gitlab-runner"),
        (Chart("0.29.0", "gitlab-runner-x"), "gitlab-runner-x-gitlab-runner"),
        (Chart("0.86.0", "gitlab-runner-x"), "gitlab-runner-x"),
        (Chart("0.86.0", "ci"), "ci-gitlab-runner"),
    ],
)
def test_charts_old_and_new_by_both_naming_rules(
    session: Session, api: Api, namespace: str, chart: Chart, name: str
) -> None:
    install(api, replace(chart, namespace=namespace))
    runner = only(session, namespace)
    assert str(runner) == f"{namespace}/{name}"
    assert runner.chart == (0, chart.minor)


def test_names_do_not_matter(session: Session, api: Api, namespace: str) -> None:
    install(api, Chart("0.86.0", namespace=namespace, full_name="builds"))
    # Other charts mount scripts at the same place, and other things are called gitlab-runner.
    other = Chart("0.86.0", namespace=namespace, full_name="gitlab-runner")
    scripts = other.config_map
    scripts["data"] = {"entrypoint": "true"}
    api.post(f"/api/v1/namespaces/{namespace}/configmaps", scripts)
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", other.deployment)
    assert str(only(session, namespace)) == f"{namespace}/builds"
    assert f"{namespace}/builds" in map(str, find(session, None))


def test_the_operators(session: Session, api: Api, namespace: str) -> None:
    define(api, RUNNER_CRD)
    runners = f"/apis/apps.gitlab.com/v1beta2/namespaces/{namespace}/runners"
    spec = {"gitlabUrl": "https://gitlab.example", "token": "secret", "config": "mine"}
    resource = {"apiVersion": "apps.gitlab.com/v1beta2", "kind": "Runner", "spec": spec}
    made = api.post(runners, {**resource, "metadata": {"name": "build"}})
    data = {"config.toml": DEFAULT_TEMPLATE}
    api.post(
        f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "mine"}, "data": data}
    )
    api.post(
        f"/apis/apps/v1/namespaces/{namespace}/deployments",
        operator_deployment("build", namespace, made["metadata"]["uid"]),
    )
    runner = only(session, namespace)
    assert (str(runner), runner.operator) == (f"{namespace}/build-runner", "build")
    assert plan_patch(runner, WANTED).added == WANTED


def test_without_rights_to_see_all_namespaces(
    api: Api,
    control_plane: Server,
    namespace: str,
    restricted_user: Callable[..., Path],
) -> None:
    install(api, Chart("0.86.0", namespace=namespace))
    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    ]
    kubeconfig = restricted_user(control_plane, rules, namespace)
    with connect(kubeconfig=kubeconfig, namespace=namespace) as session:
        assert [str(r) for r in find(session, None)] == [f"{namespace}/ci-gitlab-runner"]


# -- what cannot be patched ----------------------------------------------------------------------

REFUSED: dict[str, tuple[Chart, str, str]] = {
    "0.15 registers with flags": (
        Chart("0.15.0"),
        "registers with flags in a shell script",
        "emit helm --chart 0.15",
    ),
    "0.19 too": (
        Chart("0.19.2"),
        "registers with flags in a shell script",
        "emit helm --chart 0.19",
    ),
    "runners.config is empty": (
        Chart("0.86.0", template=None),
        "runners.config is empty",
        "agtool ci-nodepool emit helm",
    ),
    "runners.configPath": (
        Chart("0.86.0", template=None, template_path="/etc/mine/template.toml"),
        "/etc/mine/template.toml (runners.configPath",
        "where that file comes from",
    ),
    "two runners": (
        Chart("0.86.0", template=DEFAULT_TEMPLATE * 2),
        "2 [[runners]]",
        "one release of the chart per runner",
    ),
    "Go template text": (
        Chart("0.26.0", template="{{- if .Values.x }}\n" + DEFAULT_TEMPLATE),
        "Go template text",
        "Helm values",
    ),
    "a selector in the environment": (
        Chart("0.86.0", environment={"KUBERNETES_NODE_SELECTOR": "pool:other"}),
        "KUBERNETES_NODE_SELECTOR of {runner} is pool:other",
        "envVars or extraEnv",
    ),
    "a toleration in the environment": (
        Chart("0.86.0", environment={"KUBERNETES_NODE_TOLERATIONS": "a=b:NoSchedule"}),
        "KUBERNETES_NODE_TOLERATIONS",
        "envVars or extraEnv",
    ),
    "a flag": (
        Chart("0.26.0", flags=['--kubernetes-node-selector "pool":"other"']),
        "--kubernetes-node-selector of {runner} is pool:other",
        "runners in the Helm values",
    ),
    "another executor": (
        Chart("0.86.0", environment={"RUNNER_EXECUTOR": "shell"}),
        "its jobs are not pods",
        "",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_says_what_to_change_instead(
    session: Session, api: Api, namespace: str, case: str
) -> None:
    chart, message, hint = REFUSED[case]
    install(api, replace(chart, namespace=namespace))
    runner = only(session, namespace)
    with pytest.raises(CannotPatch) as refusal:
        plan_patch(runner, WANTED)
    assert message.format(runner=runner) in refusal.value.message
    assert hint in refusal.value.hint


def test_what_fills_the_environment(
    api: Api,
    session: Session,
    control_plane: Server,
    namespace: str,
    restricted_user: Callable[..., Path],
) -> None:
    chart = Chart("0.86.0", namespace=namespace)
    made = chart.deployment
    made["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "shared"}, "prefix": "KUBERNETES_"},
        {"secretRef": {"name": "hidden"}},
        {"configMapRef": {"name": "missing", "optional": True}},
    ]
    core = f"/api/v1/namespaces/{namespace}"
    api.post(f"{core}/configmaps", chart.config_map)
    shared = {"NODE_SELECTOR": "pool:other"}
    api.post(f"{core}/configmaps", {"metadata": {"name": "shared"}, "data": shared})
    secret = {"KUBERNETES_NODE_TOLERATIONS": "a=top-secret:NoSchedule"}
    api.post(f"{core}/secrets", {"metadata": {"name": "hidden"}, "stringData": secret})
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", made)

    runner = only(session, namespace)
    assert "top-secret" not in str(runner.sources)
    assert [(o.name, o.entries) for o in overrides(runner)] == [
        ("KUBERNETES_NODE_SELECTOR", {"pool": "other"}),
        ("KUBERNETES_NODE_TOLERATIONS", None),
    ]
    with pytest.raises(CannotPatch, match=r"KUBERNETES_NODE_SELECTOR of .* is pool:other"):
        plan_patch(runner, WANTED)

    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    ]
    kubeconfig = restricted_user(control_plane, rules, namespace)
    api.patch(f"{core}/configmaps/shared", {"data": {"NODE_SELECTOR": ""}})
    with connect(kubeconfig=kubeconfig, namespace=namespace) as restricted:
        (warning,) = plan_patch(only(restricted, namespace), WANTED).warnings
    assert warning.code == "unseen"
    assert "Secret hidden" in warning.message
    assert "may not get secrets in namespace" in warning.message
