"""`status` of workloads on a real cluster."""

from tests.e2e.migrate_once.pods.workload import Shop, container, manifest, ready

GATE = "touch /tmp/begun; until [ -e /tmp/go ]; do sleep 0.2; done"


def spec(shop: Shop) -> dict[str, object]:
    """Pods of busybox, with a folder that can be written to."""
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    main = container("main", shop.cluster.images.busybox, shop.env, volumeMounts=mounts)
    return {"containers": [main], "volumes": [{"name": "tmp", "emptyDir": {}}]}


def test_from_the_start_to_the_end(shop: Shop) -> None:
    shop.target.execute("CREATE TABLE inhabited (n int)")
    body = manifest("Deployment", spec(shop))
    shop.apply(shop.inject(body, "--key=1.4.2", "--command", f"sh -c '{GATE}'"))
    shop.wait(lambda: len(shop.rows("SELECT 1 FROM agtool.install_locks_runs")) == 3, "three came")
    found = shop.document()
    states = sorted(pod["state"] for pod in found["pods"])
    assert states == ["waiting", "waiting", "working"], found
    (answer,) = found["answers"]
    assert answer["status"]["held"]
    (working,) = [pod for pod in found["pods"] if pod["state"] == "working"]
    assert working["pod"] == answer["status"]["running"][0]["place"]
    assert working["seconds"] > 0
    assert answer["status"]["key"] == {
        "name": "default",
        "key": "1.4.2",
        "done": False,
        "failures": 0,
        "failed_on": None,
        "failed_with": None,
    }
    shown = shop.status()
    assert shown.exit_code == 0, shown.stderr
    assert "2 waiting" in shown.stdout
    assert shop.target.password not in shown.stdout + shown.stderr
    shop.kubectl("exec", working["pod"], "-c", "agtool-migrate-once", "--", "touch", "/tmp/go")
    shop.wait(lambda: ready(shop.pods()), "three are ready")
    found = shop.document()
    assert found["answers"] == []
    assert sorted(pod["outcome"] for pod in found["pods"]) == ["already-done"] * 2 + ["ran"]
    assert {pod["state"] for pod in found["pods"]} == {"done"}
    assert {pod["exit_code"] for pod in found["pods"]} == {0}
