"""Runners patched and put back on a real API server.

There are no controllers on it: where a Deployment has to roll out, a thread of the test plays
them, by writing the status that they would write. The e2e tests have real ones.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtool.ci_nodepool.model import RECORD
from agtool.ci_nodepool.runner.change import Outcome, RolloutFailed, hosts, manager_pods, roll_out
from agtool.ci_nodepool.runner.edit import read
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.plan import RESTARTED_AT, plan_patch, plan_undo
from agtool.core.errors import DeniedError
from agtool.core.kube.session import Session, connect
from agtool.core.live import Live
from tests.cluster.api import Api, Object, Refused
from tests.cluster.server import Server
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart
from tests.integration.ci_nodepool.conftest import KEY, WANTED, install, only


def config_map(api: Api, chart: Chart) -> Object:
    return api.get(f"/api/v1/namespaces/{chart.namespace}/configmaps/{chart.name}")


def deployment(api: Api, chart: Chart) -> Object:
    return api.get(f"/apis/apps/v1/namespaces/{chart.namespace}/deployments/{chart.name}")


def restarted_at(api: Api, chart: Chart) -> str | None:
    metadata = deployment(api, chart)["spec"]["template"]["metadata"]
    value: str | None = (metadata.get("annotations") or {}).get(RESTARTED_AT)
    return value


UP: Object = {
    "replicas": 1,
    "updatedReplicas": 1,
    "readyReplicas": 1,
    "availableReplicas": 1,
}
LATE: Object = {
    "replicas": 1,
    "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    ],
}


@contextmanager
def controllers(server: Server, chart: Chart, status: Object = UP) -> Iterator[None]:
    """Play the Deployment's controller: give each new generation a status."""
    stop = threading.Event()
    path = f"/apis/apps/v1/namespaces/{chart.namespace}/deployments/{chart.name}"

    def play() -> None:
        with server.connect() as api:
            while not stop.wait(0.05):
                there = api.get(path)
                generation = there["metadata"]["generation"]
                if there["status"].get("observedGeneration") != generation:
                    # The one that is there when a test begins has rolled out long ago.
                    told = status if RESTARTED_AT in str(there["spec"]) else UP
                    there["status"] = {"observedGeneration": generation, **told}
                    try:
                        api.put(f"{path}/status", there)
                    except Refused as error:
                        if error.status != 409:  # changed meanwhile
                            raise

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Shown(Live):
    """Calls a function with what is shown."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    def show(self, text: str, subject: object = None, *, fresh: bool = True, **fields: Any) -> None:
        self._show(text)


def patch(session: Session, runner: Runner, timeout: float = 60) -> Outcome:
    """Send a runner's jobs to the pool."""
    return roll_out(
        session,
        plan_patch(runner, WANTED),
        lambda again: plan_patch(again, WANTED),
        timeout=timeout,
        live=Live(),
    )


# -- changing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.26.0", "0.29.0", "0.86.0"])
def test_patch_and_undo(
    session: Session, api: Api, control_plane: Server, namespace: str, version: str
) -> None:
    text = '[[runners]]\r\n  # mine\r\n  [runners.kubernetes]\r\n    image = "x"   # y\r\n'
    chart = install(api, Chart(version, namespace=namespace, template=text))
    before = config_map(api, chart)
    with controllers(control_plane, chart):
        outcome = patch(session, only(session, namespace))
        assert outcome.restarted
        after = config_map(api, chart)
        assert read(after["data"]["config.template.toml"]) == WANTED
        others = {k: v for k, v in after["data"].items() if k != "config.template.toml"}
        assert others.items() <= before["data"].items()
        stamp = restarted_at(api, chart)
        assert stamp

        # Again: nothing is sent.
        again = patch(session, only(session, namespace))
        assert not again.restarted
        version_now = config_map(api, chart)["metadata"]["resourceVersion"]
        assert version_now == after["metadata"]["resourceVersion"]
        assert restarted_at(api, chart) == stamp

        plan = plan_undo(only(session, namespace))
        roll_out(session, plan, plan_undo, timeout=60, live=Live())
    back = config_map(api, chart)
    assert back["data"] == before["data"]
    assert RECORD not in (back["metadata"].get("annotations") or {})
    assert restarted_at(api, chart) != stamp


def test_undo_after_helm_was_there(
    session: Session, api: Api, control_plane: Server, namespace: str
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    with controllers(control_plane, chart):
        patch(session, only(session, namespace))
        upgraded = DEFAULT_TEMPLATE.replace("alpine", "debian")
        path = f"/api/v1/namespaces/{namespace}/configmaps/{chart.name}"
        api.patch(path, {"data": {"config.template.toml": upgraded}})

        runner = only(session, namespace)
        roll_out(session, plan_undo(runner), plan_undo, timeout=60, live=Live())
    there = config_map(api, chart)
    assert there["data"]["config.template.toml"] == upgraded
    assert RECORD not in (there["metadata"].get("annotations") or {})


def test_a_change_between_our_look_and_our_write_survives(
    session: Session, api: Api, control_plane: Server, namespace: str
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    path = f"/api/v1/namespaces/{namespace}/configmaps/{chart.name}"
    with controllers(control_plane, chart):
        runner = only(session, namespace)
        theirs = DEFAULT_TEMPLATE + '    service_account = "theirs"\n'
        api.patch(path, {"data": {"config.template.toml": theirs, "more": "x"}})
        patch(session, runner)
    data = config_map(api, chart)["data"]
    assert read(data["config.template.toml"]) == WANTED
    assert 'service_account = "theirs"' in data["config.template.toml"]
    assert data["more"] == "x"


def test_a_race_with_another_writer(
    session: Session, api: Api, control_plane: Server, namespace: str
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    path = f"/api/v1/namespaces/{namespace}/configmaps/{chart.name}"
    stop = threading.Event()
    wrote: list[int] = []

    def write() -> None:
        with control_plane.connect() as other:
            while not stop.wait(0.02):
                other.patch(path, {"data": {f"key-{len(wrote)}": "x"}})
                wrote.append(len(wrote))

    with controllers(control_plane, chart):
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(5):
                patch(session, only(session, namespace))
                runner = only(session, namespace)
                roll_out(session, plan_undo(runner), plan_undo, timeout=60, live=Live())
        finally:
            stop.set()
            writer.join()
    data = config_map(api, chart)["data"]
    assert data["config.template.toml"] == DEFAULT_TEMPLATE
    assert {f"key-{number}" for number in wrote} <= set(data)


def test_a_restart_that_was_not_reached_is_made_up_for(
    session: Session, api: Api, control_plane: Server, namespace: str
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    metadata = {"name": "manager", "labels": {"app": chart.name}}
    spec = {"containers": [{"name": "x", "image": "x"}]}
    api.post(f"/api/v1/namespaces/{namespace}/pods", {"metadata": metadata, "spec": spec})
    time.sleep(1.1)  # the server's times are in whole seconds
    plan = plan_patch(only(session, namespace), WANTED)
    session.patch(plan.runner.config_map_path, plan.patch(), fieldManager="agtool")
    assert restarted_at(api, chart) is None
    with controllers(control_plane, chart):
        assert patch(session, only(session, namespace)).restarted
    assert restarted_at(api, chart)


# -- failing -------------------------------------------------------------------------------------


def unchanged(api: Api, chart: Chart) -> bool:
    """Whether the release is as it was installed."""
    there = config_map(api, chart)
    return (
        there["data"] == chart.config_map["data"]
        and RECORD not in (there["metadata"].get("annotations") or {})
        and restarted_at(api, chart) is None
    )


def test_a_runner_that_does_not_come_up(
    session: Session, api: Api, control_plane: Server, namespace: str
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    with (
        controllers(control_plane, chart, LATE),
        pytest.raises(RolloutFailed, match="does not start") as failure,
    ):
        patch(session, only(session, namespace))
    assert failure.value.exit_code == 1
    assert "The old configuration is back" in failure.value.hint
    assert unchanged(api, chart)


def test_a_rollout_that_takes_too_long(session: Session, api: Api, namespace: str) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    with pytest.raises(RolloutFailed, match="not up after 1 s: waiting for the Deployment's"):
        patch(session, only(session, namespace), timeout=1)
    assert unchanged(api, chart)


def test_what_others_changed_meanwhile_is_not_put_back(
    session: Session, api: Api, namespace: str
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    path = f"/api/v1/namespaces/{namespace}/configmaps/{chart.name}"
    told: list[str] = []

    def show(text: str) -> None:
        if not told:
            api.patch(path, {"data": {"more": "x"}})
        told.append(text)

    runner = only(session, namespace)
    with pytest.raises(RolloutFailed) as failure:
        roll_out(
            session,
            plan_patch(runner, WANTED),
            lambda again: plan_patch(again, WANTED),
            timeout=2,
            live=Shown(show),
        )
    assert "Somebody else changed the ConfigMap" in failure.value.hint
    data = config_map(api, chart)["data"]
    assert data["more"] == "x"
    assert read(data["config.template.toml"]) == WANTED


def test_a_restart_that_somebody_goes_over_is_told_once(
    session: Session, api: Api, namespace: str, capfd: pytest.CaptureFixture[str]
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))

    def show(_: str) -> None:
        annotations = {"metadata": {"annotations": {RESTARTED_AT: "theirs"}}}
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{chart.name}"
        api.patch(path, {"spec": {"template": annotations}})

    plan = plan_patch(only(session, namespace), WANTED)
    with pytest.raises(RolloutFailed):
        roll_out(
            session, plan, lambda again: plan_patch(again, WANTED), timeout=3, live=Shown(show)
        )
    assert capfd.readouterr().err.count("somebody else changed") == 1


@pytest.mark.parametrize("missing", ["configmaps", "deployments"])
def test_missing_rights_are_named_and_nothing_is_left_half_done(
    api: Api,
    control_plane: Server,
    namespace: str,
    restricted_user: Callable[..., Path],
    missing: str,
) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    rules = [
        {"apiGroups": [group], "resources": [name], "verbs": ["get", "list", *verbs]}
        for group, name, verbs in (
            ("", "configmaps", [] if missing == "configmaps" else ["patch"]),
            ("apps", "deployments", [] if missing == "deployments" else ["patch"]),
            ("", "pods", []),
        )
    ]
    kubeconfig = restricted_user(control_plane, rules, namespace)
    with (
        connect(kubeconfig=kubeconfig, namespace=namespace) as session,
        pytest.raises(DeniedError, match=f"may not patch {missing} in namespace") as failure,
    ):
        patch(session, only(session, namespace))
    assert '"verbs": ["patch"]' in failure.value.hint
    assert unchanged(api, chart)


# -- the manager ---------------------------------------------------------------------------------


def test_a_manager_on_a_node_of_the_pool(
    session: Session,
    api: Api,
    namespace: str,
    fake_nodes: Callable[..., list[str]],
) -> None:
    (on_pool,) = fake_nodes(1, {KEY: "true"}, prefix="spot")
    (elsewhere,) = fake_nodes(1, prefix="other")
    chart = install(api, Chart("0.86.0", namespace=namespace))
    for node in (on_pool, elsewhere):
        pod: Any = {
            "metadata": {"name": node, "labels": {"app": chart.name}},
            "spec": {"nodeName": node, "containers": [{"name": "x", "image": "x"}]},
        }
        api.post(f"/api/v1/namespaces/{namespace}/pods", pod)
    assert hosts(manager_pods(session, only(session, namespace))) == {on_pool, elsewhere}


def test_a_record_that_agtool_did_not_write(session: Session, api: Api, namespace: str) -> None:
    chart = install(api, Chart("0.86.0", namespace=namespace))
    path = f"/api/v1/namespaces/{namespace}/configmaps/{chart.name}"
    api.patch(path, {"metadata": {"annotations": {RECORD: '{"template": [{"before": 1}]}'}}})
    runner = only(session, namespace)
    assert runner.record
    plan = plan_undo(replace(runner))
    assert plan.before == plan.after
    assert plan.record == ""
