"""`status` of workloads on a real cluster."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

from tests.cluster.api import Object, define
from tests.cluster.proxy import ApiProxy
from tests.e2e.migrate_once.pods.workload import (
    AGTOOL,
    NAME,
    PLACES,
    Shop,
    container,
    manifest,
    ready,
)

GATE = "/gate/go"
WAITS = f"until [ -e {GATE} ]; do sleep 0.2; done"
"""What the pods run: until a file is there."""

MigrateOnce = "agtool-migrate-once"


def pods(shop: Shop, *init: Object) -> Object:
    """Pods of busybox, with a folder for the gate, and agtool's folder."""
    mounts = [{"name": "gate", "mountPath": "/gate"}]
    main = container("main", shop.cluster.images.busybox, shop.env, volumeMounts=mounts)
    return {
        "initContainers": list(init),
        "containers": [main],
        "volumes": [
            {"name": "gate", "emptyDir": {}},
            {"name": "agtool", "image": {"reference": AGTOOL, "pullPolicy": "Never"}},
        ],
    }


def step(shop: Shop, command: list[str], **more: Any) -> Object:
    """An init container of somebody's own, beside whose image agtool's is mounted."""
    mounts = [
        {"name": "gate", "mountPath": "/gate"},
        {"name": "agtool", "mountPath": "/mnt/agtool", "readOnly": True},
    ]
    image = shop.cluster.images.busybox
    made = container("step", image, {}, command=command, volumeMounts=mounts)
    return {**made, **more}


def deployed(shop: Shop, kind: str = "Deployment", replicas: int = 3) -> None:
    """Apply a workload, injected, and return when its replicas have come."""
    shop.target.execute("CREATE TABLE inhabited (n int)")
    body = manifest(kind, pods(shop), replicas)
    shop.apply(shop.inject(body, "--key=1.4.2", "--command", f"sh -c '{WAITS}'"))
    came(shop, replicas)


def came(shop: Shop, replicas: int, table: str = "agtool.install_locks") -> None:
    """Return when so many work or wait."""
    query = f"SELECT 1 FROM {table}_runs WHERE state IN ('running', 'waiting')"
    shop.wait(lambda: len(shop.rows(query)) == replicas, f"{replicas} came")


def test_from_the_start_to_the_end(shop: Shop) -> None:
    deployed(shop)
    found = shop.document()
    states = sorted(pod["state"] for pod in found["pods"])
    assert states == ["waiting", "waiting", "working"], found
    (answer,) = found["answers"]
    assert answer["status"]["held"]
    (working,) = [pod for pod in found["pods"] if pod["state"] == "working"]
    assert working["pod"] == answer["status"]["running"][0]["place"]
    assert working["seconds"] > 0
    key = answer["status"]["key"]
    assert (key["key"], key["done"], key["failures"]) == ("1.4.2", False, 0)
    shown = shop.status()
    assert shown.exit_code == 0, shown.stderr
    held = rf"held by {working['pod']} for \d+ \w+, 2 waiting$"
    assert re.search(held, shown.stdout, re.MULTILINE)
    assert shop.target.password not in shown.stdout + shown.stderr
    shop.kubectl("exec", working["pod"], "-c", MigrateOnce, "--", "touch", GATE)
    shop.wait(lambda: ready(shop.pods()), "three are ready")
    found = shop.document()
    assert found["answers"] == []
    assert sorted(pod["outcome"] for pod in found["pods"]) == ["already-done"] * 2 + ["ran"]
    assert {(pod["state"], pod["exit_code"]) for pod in found["pods"]} == {("done", 0)}
    shown = shop.status()
    assert (shown.exit_code, shown.stdout.count("\ndone ")) == (0, 3), shown.stdout


def test_a_script_starts_it_with_what_it_has_made(shop: Shop) -> None:
    """Neither its options nor its variables stand in the pod's specification."""
    shop.target.execute("CREATE TABLE inhabited (n int); CREATE SCHEMA others")
    shop.target.execute(f"GRANT ALL ON SCHEMA others TO {shop.target.role}")
    script = (
        f'export DATABASE_URL="{shop.target.url}" LOCK=others.locks\n'
        f"/mnt/agtool/agtool/agtool migrate-once --lock-table $LOCK -- sh -c '{WAITS}'\n"
    )
    shop.apply(manifest("Deployment", pods(shop, step(shop, ["sh", "-ec", script])), 2))
    came(shop, 2, "others.locks")
    found = shop.document()
    assert sorted(pod["state"] for pod in found["pods"]) == ["waiting", "working"], found
    assert found["answers"][0]["status"]["lock"] == "advisory lock of others.locks"
    assert {pod["container"] for pod in found["pods"]} == {"step"}


def test_it_is_found_where_nothing_tells_it(shop: Shop) -> None:
    """The image's own script starts it; agtool lies where its image has it."""
    mounts = [
        {"name": "gate", "mountPath": "/gate"},
        {"name": "agtool", "mountPath": "/agtool", "subPath": "agtool", "readOnly": True},
    ]
    shop.target.execute("CREATE TABLE inhabited (n int)")
    script = f"#!/bin/sh\n/agtool/agtool migrate-once -- sh -c '{WAITS}'"
    config_map = {"metadata": {"name": "script"}, "data": {"migrate": script}}
    shop.api.post(f"/api/v1/namespaces/{shop.namespace}/configmaps", config_map)
    mounts += [{"name": "script", "mountPath": "/script"}]
    own = step(shop, ["/script/migrate"], volumeMounts=mounts)
    own["env"] = [{"name": "DATABASE_URL", "value": shop.target.url}]
    spec = pods(shop, own)
    spec["volumes"].append({"name": "script", "configMap": {"name": "script", "defaultMode": 365}})
    shop.apply(manifest("Deployment", spec, 1))
    came(shop, 1)
    (pod,) = shop.document()["pods"]
    assert (pod["container"], pod["state"]) == ("step", "working")
    assert shop.document("--container=step")["pods"][0]["state"] == "working"
    # It stands in no specification: what does not run agtool cannot be told from what has run it.
    done = shop.status("--container=main", "--output=json")
    assert (done.exit_code, '"no-agtool"' in done.stdout) == (3, True), done.stdout


def rollout(shop: Shop) -> None:
    """What Argo's controller makes: a Rollout, and a ReplicaSet that is named after it."""
    labels = {"app": NAME, "rollouts-pod-template-hash": "abc"}
    group = f"/apis/argoproj.io/v1alpha1/namespaces/{shop.namespace}/rollouts"
    body = manifest("Deployment", pods(shop), 1)
    body |= {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    made = shop.api.post(group, body)
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "controller": True}
    owner |= {"name": NAME, "uid": made["metadata"]["uid"]}
    injected = shop.inject(body, "--key=1.4.2", "--command", f"sh -c '{WAITS}'")
    template = injected["spec"]["template"]
    template["metadata"]["labels"] = labels
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": f"{NAME}-abc", "labels": labels, "ownerReferences": [owner]},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
    shop.apply(replica_set)


ROLLOUT = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "rollouts.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "scope": "Namespaced",
        "names": {"plural": "rollouts", "singular": "rollout", "kind": "Rollout"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@pytest.mark.parametrize("kind", [*PLACES, "Rollout"])
def test_every_kind_with_the_rights_that_are_printed(
    shop: Shop, restricted_user: Callable[..., Path], kind: str
) -> None:
    shop.target.execute("CREATE TABLE inhabited (n int)")
    if kind == "Rollout":
        define(shop.api, ROLLOUT)
        rollout(shop)
    else:
        body = manifest(kind, pods(shop), 1)
        if kind == "CronJob":
            body["spec"]["suspend"] = True
        shop.apply(shop.inject(body, "--key=1.4.2", "--command", f"sh -c '{WAITS}'"))
    if kind == "CronJob":
        shop.kubectl("create", "job", "by-hand", f"--from=cronjob/{NAME}")
    came(shop, 1)
    role = yaml.safe_load(shop.status("--print-rbac", kind=kind.lower()).stdout)
    assert role["metadata"]["namespace"] == shop.namespace
    shop.kubeconfig = restricted_user(shop.cluster, role["rules"], shop.namespace)
    (pod,) = shop.document(kind=kind.lower())["pods"]
    assert (pod["state"], pod["container"]) == ("working", MigrateOnce)


def test_each_of_these_rights_is_needed(shop: Shop, restricted_user: Callable[..., Path]) -> None:
    deployed(shop, replicas=1)
    role = yaml.safe_load(shop.status("--print-rbac").stdout)
    shop.api.post(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.namespace}/roles", role, dryRun="All"
    )
    for missing in role["rules"]:
        rules = [rule for rule in role["rules"] if rule is not missing]
        shop.kubeconfig = restricted_user(shop.cluster, rules, shop.namespace)
        done = shop.status()
        assert done.exit_code == 5, done.stdout
        asked = missing["resources"] == ["pods/exec"]
        assert f"may not {missing['verbs'][0]} {missing['resources'][0]}" in done.stderr
        # What the API server knows is shown, where only the asking is forbidden.
        assert ("\nrunning " in done.stdout) == asked


def test_both_verbs_of_exec_are_needed(shop: Shop, restricted_user: Callable[..., Path]) -> None:
    deployed(shop, replicas=1)
    role = yaml.safe_load(shop.status("--print-rbac").stdout)
    *others, last = role["rules"]
    for verb, told in (("get", "is forbidden\n"), ("create", "may not get pods/exec")):
        rules = [*others, {**last, "verbs": [verb]}]
        shop.kubeconfig = restricted_user(shop.cluster, rules, shop.namespace)
        done = shop.status()
        assert done.exit_code == 5, done.stdout
        assert f"no command may be run in container {MigrateOnce} of pod {NAME}-" in done.stderr
        assert told in done.stderr
        assert "add --print-rbac" in done.stderr


def test_it_says_why_pods_cannot_be_asked(shop: Shop) -> None:
    """An image that is not there, and a database that is not."""
    body = shop.inject(manifest("Deployment", pods(shop), 1), "--key=1", "--command=true")
    (migrate,) = [
        each
        for each in body["spec"]["template"]["spec"]["initContainers"]
        if each["name"] == MigrateOnce
    ]
    migrate["image"] = "localhost/agtool-tests/nothing:1"
    shop.apply(body)

    def reason() -> str:
        if not shop.pods():
            return ""
        (pod,) = shop.document()["pods"]
        assert pod["state"] == "pending"
        return str(pod["reason"])

    shop.wait(lambda: "ErrImageNeverPull" in reason(), "the image is not there")
    assert reason().startswith("it cannot start: ErrImageNeverPull")


def test_a_crash_loop(shop: Shop) -> None:
    nowhere = f"postgresql://shop:hunter2@{shop.cluster.outside}:1/shop"
    body = manifest("Deployment", pods(shop), 1)
    (main,) = body["spec"]["template"]["spec"]["containers"]
    main["env"] = [{"name": "DATABASE_URL", "value": nowhere}]
    shop.apply(shop.inject(body, "--key=1", "--connect-timeout=1s", "--command=true"))

    seen: list[Any] = [{"state": ""}]

    def has_failed() -> bool:
        """Before it has, it is asked, and cannot reach the database either; soon it runs again."""
        seen.extend(json.loads(shop.status("--output=json").stdout)["data"].get("pods", []))
        return bool(seen[-1]["state"] == "failed")

    shop.wait(has_failed, "it has failed")
    found = seen[-1]
    assert (found["state"], found["exit_code"]) == ("failed", 125), found
    assert "exit code 125 (Error)" in found["reason"]
    assert "refused" in found["reason"]
    assert "hunter2" not in shop.status().stdout


def test_its_database_cannot_be_reached(shop: Shop) -> None:
    """The agtool there waits for it, and says so when it is asked."""
    nowhere = f"postgresql://shop:hunter2@{shop.cluster.outside}:1/shop"
    body = manifest("Deployment", pods(shop), 1)
    (main,) = body["spec"]["template"]["spec"]["containers"]
    main["env"] = [{"name": "DATABASE_URL", "value": nowhere}]
    shop.apply(shop.inject(body, "--key=1", "--command=true"))

    def runs() -> bool:
        found = shop.status("--output=json")
        return '"state": "running"' in found.stdout

    shop.wait(runs, "agtool runs")
    done = shop.status()
    assert done.exit_code == 4, done.stdout
    assert f"the agtool in container {MigrateOnce} of pod {NAME}-" in done.stderr
    assert "refused" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ("echo 'No such option: --like-running' >&2; exit 2", "gives no answer that this one"),
        ('echo "agtool 0.0.1"', "gives no answer that this one"),
    ],
)
def test_an_agtool_that_is_too_old(shop: Shop, answers: str, told: str) -> None:
    old = f'case "$*" in *--status*) {answers};; *) sleep 3600;; esac'
    script = (
        f"printf '%s\\n' '#!/bin/sh' '{old.replace(chr(39), chr(34))}' >/gate/agtool\n"
        "chmod +x /gate/agtool\n/gate/agtool migrate-once -- true\n"
    )
    shop.apply(manifest("Deployment", pods(shop, step(shop, ["sh", "-ec", script])), 1))
    # Before, the container or the file is not there.
    shop.wait(lambda: "too-old" in shop.status("--output=json").stdout, "it is asked")
    done = shop.status()
    assert done.exit_code == 4, done.stdout
    assert told in done.stderr
    assert "Use the same version here and there." in done.stderr


def test_a_gateway_without_websockets(shop: Shop, api_proxy: Callable[..., ApiProxy]) -> None:
    deployed(shop, replicas=1)
    proxy = api_proxy(shop.cluster)
    proxy.dropped.add("upgrade")
    shop.kubeconfig = proxy.kubeconfig
    done = shop.status()
    assert done.exit_code == 4, done.stdout
    assert "opens no WebSocket" in done.stderr
    assert "\nrunning " in done.stdout


def test_no_agtool_at_all(shop: Shop) -> None:
    shop.apply(manifest("Deployment", pods(shop), 1))
    shop.wait(lambda: ready(shop.pods(), 1), "it serves")
    done = shop.status("--output=json")
    assert (done.exit_code, '"no-agtool"' in done.stdout) == (3, True), done.stdout
