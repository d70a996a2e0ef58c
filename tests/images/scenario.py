"""What each application goes through: three replicas, whose winner is killed in its work."""

from pathlib import Path

from tests.e2e.migrate_once.pods.workload import Shop, container, manifest, ready
from tests.images.applications import PAUSE, Application

METHODS = ("copy", "image-volume")

_TMP = {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}  # noqa: S108


def deploy(shop: Shop, application: Application, method: str) -> None:
    """Make a Deployment of it whose pods migrate before they serve."""
    env = {"DATABASE_URL": application.secret(shop.target), **application.env}
    main = container(
        "main",
        application.image,
        env,
        command=PAUSE,
        workingDir=application.folder,
        **_TMP,
    )
    body = manifest(
        "Deployment", {"containers": [main], "volumes": [{"name": "tmp", "emptyDir": {}}]}
    )
    arguments = (f"--method={method}", "--key=1.4.3", "--", *application.command)
    shop.apply(shop.inject(body, *arguments))


def migrates(shop: Shop, application: Application, method: str, folder: Path) -> None:
    """Exactly one run is seen in the database, although the winner was killed."""
    shop.load(application, folder)
    target = shop.target
    with target.closed() as open_gate:
        deploy(shop, application, method)
        shop.wait(target.at_the_gate, "the winner is at its last statement")
        killed = target.at_the_gate()
        winner = shop.winner()
        shop.kill(winner)
        shop.wait(lambda: target.at_the_gate() - killed, "another one is there")
        # Nothing of the killed one works beside it.
        assert len(target.at_the_gate()) == 1, shop.told()
        open_gate()
        shop.wait(lambda: ready(shop.pods()), "all three serve")
    assert target.rows("SELECT count(*) FROM late") == [(1,)]
    assert {"customers", "orders", "late"} <= target.tables()
    assert [state for state, *_ in shop.runs()].count("done") == 1, shop.runs()
    found = shop.document()
    assert sorted(pod["outcome"] for pod in found["pods"]) == ["already-done"] * 2 + ["ran"]
    # Who is added later finds it done.
    shop.scale(4)
    shop.wait(lambda: ready(shop.pods(), 4), "a fourth serves")
    assert [state for state, *_ in shop.runs()].count("done") == 1, shop.runs()
