"""A COMMAND that is none, but the name of something in the cluster, as kubectl debug takes it."""

import pytest

from tests.e2e.debug.conftest import Person


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("pod/web-0", "--target pod/web-0"),
        ("deploy/web", "--like deployment/web"),
        ("statefulsets/db", "--like statefulset/db"),
        ("node/worker-1", "--node worker-1"),
    ],
)
def test_a_kind_and_a_name(person: Person, word: str, told: str) -> None:
    done = person.run(word)
    assert (done.exit_code, done.stdout) == (125, "")
    assert told in done.stderr
    assert not person.pods()


def test_a_name_alone(person: Person) -> None:
    containers = [{"name": "web", "image": person.cluster.images.pause}]
    core, apps = (f"/{group}/namespaces/{person.namespace}" for group in ("api/v1", "apis/apps/v1"))
    person.api.post(
        f"{core}/pods", {"metadata": {"name": "web-0"}, "spec": {"containers": containers}}
    )
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": labels}, "replicas": 0, "template": template}
    person.api.post(f"{apps}/deployments", {"metadata": {"name": "shop"}, "spec": spec})
    done = person.run("web-0")
    assert done.exit_code == 127
    assert f"-n {person.namespace} --target pod/web-0" in done.stderr
    done = person.run("shop")
    assert done.exit_code == 127
    assert f"-n {person.namespace} --like deployment/shop" in done.stderr
    done = person.run("nothing-of-that-name")
    assert (done.exit_code, "agtool debug --" in done.stderr) == (127, False)
    person.nothing_is_left()
