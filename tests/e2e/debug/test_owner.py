"""A Job owns the pod, and takes it away when nobody else does."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.cluster.api import Object
from tests.cluster.proxy import ApiProxy
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.test_rights import RULES
from tests.e2e.debug.webhook import Webhook

UP = ("--", "sh", "-c", "echo up >&2; sleep 600")
WITHOUT_JOBS = [rule for rule in RULES["agtool-debug"] if rule["resources"] != ["jobs"]]


def objects(person: Person, resource: str, group: str = "/api/v1") -> list[Object]:
    found: list[Object] = person.api.get(
        f"{group}/namespaces/{person.namespace}/{resource}", labelSelector="agtool/debug"
    )["items"]
    return found


def owners(body: Object) -> set[str]:
    return {reference["kind"] for reference in body["metadata"].get("ownerReferences", ())}


def test_the_cluster_takes_away_what_a_killed_agtool_leaves(person: Person) -> None:
    running = person.start("--ttl", "5s", *UP)
    running.wait_for("up")
    assert f"job {name_in(running.stderr)} owns the pod" in running.stderr
    running.kill()
    assert person.pods()
    person.nothing_is_left()


def test_the_same_with_the_labels_of_a_workload(person: Person) -> None:
    labels = {"app": "web"}
    container = {"name": "web", "image": person.cluster.images.pause}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "replicas": 0, "template": template}
    person.api.post(
        f"/apis/apps/v1/namespaces/{person.namespace}/replicasets",
        {"metadata": {"name": "web"}, "spec": spec},
    )
    running = person.start("--like", "rs/web", "--ttl", "5s", *UP)
    running.wait_for("up")
    running.kill()
    pod = person.pod()
    # Neither the replica set, which wants no pod, nor the Job may count it as its own.
    controllers = [one["kind"] for one in pod["metadata"]["ownerReferences"] if "controller" in one]
    assert controllers == ["ConfigMap"]
    assert pod["metadata"]["labels"]["app"] == "web"
    assert owners(pod) == {"Job", "ConfigMap"}
    person.nothing_is_left()


def test_nothing_stays_behind_a_session_that_ends(person: Person) -> None:
    done = person.run("--", "true")
    assert done.exit_code == 0, done.stderr
    person.nothing_is_left()
    done = person.run("--root", "--cpu", "4000", "--timeout", "1s", "--", "true")
    assert done.exit_code == 124
    person.nothing_is_left()


def test_a_pod_that_is_refused_leaves_no_owner(person: Person) -> None:
    person.enforce("restricted")
    done = person.run("--user", "0", "--", "true")
    assert done.exit_code == 125
    person.nothing_is_left()


def test_cleanup_takes_the_owner_too(person: Person) -> None:
    running = person.start(*UP)
    running.wait_for("up")
    running.kill()
    assert person.run("--cleanup", "-o", "name").stdout == f"{name_in(running.stderr)}\n"
    person.nothing_is_left()


def test_cleanup_takes_what_is_left_of_a_deleted_pod(person: Person) -> None:
    name = name_in(person.run("--keep").stderr)
    pod = f"/api/v1/namespaces/{person.namespace}/pods/{name}"
    person.api.delete(pod)
    wait_until(lambda: not objects(person, "pods"), "the pod is gone")
    assert objects(person, "jobs", "/apis/batch/v1")
    (listed,) = json.loads(person.run("--list", "-o", "json").stdout)["data"]["pods"]
    assert (listed["name"], listed["state"]) == (name, "left")
    assert person.run("--cleanup", "-o", "name").stdout == f"{name}\n"
    person.nothing_is_left()


def test_cleanup_without_the_right_to_list_jobs(
    person: Person, restricted_user: Callable[..., Path]
) -> None:
    running = person.start(*UP)
    running.wait_for("up")
    running.kill()
    rules = [
        {**rule, "verbs": ["delete"] if rule["resources"] == ["jobs"] else rule["verbs"]}
        for rule in RULES["agtool-debug"]
    ]
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    assert person.run("--cleanup", "-o", "name").stdout == f"{name_in(running.stderr)}\n"
    person.nothing_is_left()


def test_everything_the_pod_needs_is_there_before_it(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    assert person.run("--", "true").exit_code == 0
    made = [one.path.rpartition("/")[2] for one in proxy.requests if one.method == "POST"]
    assert made[:3] == ["jobs", "configmaps", "pods"]


def test_without_the_right_to_make_jobs(
    person: Person, restricted_user: Callable[..., Path]
) -> None:
    person.kubeconfig = restricted_user(person.cluster, WITHOUT_JOBS, person.namespace)
    running = person.start(*UP)
    running.wait_for("up")
    assert "No job owns the pod: " in running.stderr
    assert "may not create jobs" in running.stderr
    assert re.search(rf"`agtool debug .*-n {person.namespace} --cleanup`", running.stderr)
    assert owners(person.pod()) == set()
    (config_map,) = objects(person, "configmaps")
    assert owners(config_map) == {"Pod"}
    running.kill()
    assert person.run("--cleanup", "-o", "name").stdout == f"{name_in(running.stderr)}\n"
    person.nothing_is_left()


def test_without_the_right_to_make_what_the_pod_needs_none_is_made(
    person: Person, restricted_user: Callable[..., Path]
) -> None:
    rules = [rule for rule in WITHOUT_JOBS if rule["resources"] != ["configmaps"]]
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    done = person.run("--", "true")
    assert done.exit_code == 125
    assert "the ConfigMap of the pod cannot be made" in done.stderr
    assert "add --print-rbac to it" in done.stderr
    assert not objects(person, "pods")


def test_where_a_quota_allows_no_jobs(person: Person) -> None:
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    path = f"/api/v1/namespaces/{person.namespace}/resourcequotas"
    person.api.post(path, quota)
    known = f"{path}/few"
    wait_until(lambda: person.api.get(known)["status"].get("used"), "the quota counts")
    done = person.run("--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    assert "No job owns the pod: " in done.stderr
    assert "exceeded quota" in done.stderr


def test_the_right_to_remove_the_job_is_enough(
    person: Person, restricted_user: Callable[..., Path]
) -> None:
    rules = [
        {
            **rule,
            "verbs": [v for v in rule["verbs"] if rule["resources"] != ["pods"] or v != "delete"],
        }
        for rule in RULES["agtool-debug"]
    ]
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    done = person.run("--", "sh", "-c", "exit 3")
    assert (done.exit_code, "could not be removed" in done.stderr) == (3, False), done.stderr
    person.nothing_is_left()


def test_a_job_that_the_cluster_suspends_is_no_owner(person: Person, tmp_path: Path) -> None:
    # As Kueue does it, here by a webhook of the tests: the clock of such a Job does not run.
    patch = [{"op": "add", "path": "/spec/suspend", "value": True}]
    jobs = ("batch", "jobs")
    with Webhook(person.cluster, person.api, person.namespace, patch, tmp_path, resource=jobs):
        done = person.run("--", "true")
        wait_until(lambda: "suspends" in person.run("--", "true").stderr, "the webhook is asked")
        running = person.start(*UP)
        running.wait_for("up")
        assert "No job owns the pod: the cluster suspends new jobs" in running.stderr
        assert owners(person.pod()) == set()
        assert not objects(person, "jobs", "/apis/batch/v1")
        running.kill()
    assert done.exit_code == 0
    assert person.run("--cleanup", "-o", "name").stdout == f"{name_in(running.stderr)}\n"
    person.nothing_is_left()
