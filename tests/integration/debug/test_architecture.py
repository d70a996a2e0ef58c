"""The architecture of the node that a pod will run on, with nodes of a real API server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agtool.core.errors import DeniedError
from agtool.core.kube import session as kube
from agtool.core.kube.errors import NotFoundError
from agtool.debug.pod.architecture import ARCH, architecture
from tests.cluster.server import Server
from tests.e2e.conftest import wait_until

MakeNodes = Callable[..., list[str]]
OS = {"kubernetes.io/os": "linux"}
POOL = {"place-test": "x"}


@pytest.fixture
def session(control_plane: Server) -> Iterator[kube.Session]:
    """Give a session of somebody who may read nodes."""
    with kube.connect(kubeconfig=control_plane.kubeconfig) as found:
        yield found


def test_that_of_most_nodes_that_will_do(session: kube.Session, fake_nodes: MakeNodes) -> None:
    fake_nodes(3, labels={**OS, **POOL, ARCH: "arm64"}, prefix="arm")
    (amd,) = fake_nodes(1, labels={**OS, **POOL, ARCH: "amd64", "disk": "ssd"}, prefix="amd")
    fake_nodes(5, labels={**POOL, "kubernetes.io/os": "windows", ARCH: "s390x"}, prefix="windows")
    fake_nodes(5, labels={**OS, **POOL, ARCH: "mips"}, prefix="mips")  # there is no pause for it
    assert architecture(session, POOL, None) == "arm64"
    assert architecture(session, {**POOL, "disk": "ssd"}, None) == "amd64"
    assert architecture(session, {**POOL, ARCH: "riscv64"}, None) == "riscv64"
    assert architecture(session, {}, amd) == "amd64"
    with pytest.raises(NotFoundError, match='nodes "none" not found'):
        architecture(session, {}, "none")


def test_that_of_the_server_for_whoever_may_not_read_nodes(
    session: kube.Session,
    control_plane: Server,
    fake_nodes: MakeNodes,
    restricted_user: Callable[..., Path],
) -> None:
    fake_nodes(1, labels={**OS, **POOL, ARCH: "riscv64"}, prefix="riscv")
    own = session.get("/version")["platform"].partition("/")[2]
    with kube.connect(kubeconfig=restricted_user(control_plane, [])) as nobody:
        assert architecture(nobody, POOL, None) == own
    assert architecture(session, {"place-test": "none"}, None) == own


def test_for_whoever_may_read_nothing(
    control_plane: Server, restricted_user: Callable[..., Path]
) -> None:
    # As where the usual roles of all users have been taken away.
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    names = ("system:discovery", "system:public-info-viewer")
    kubeconfig = restricted_user(control_plane, [])
    with control_plane.connect() as api:
        bindings = [api.get(f"{path}/{name}") for name in names]
        try:
            for name in names:
                api.patch(f"{path}/{name}", {"subjects": []})
            with kube.connect(kubeconfig=kubeconfig) as nobody:
                wait_until(lambda: not _may_see_the_version(nobody), "the roles are gone")
                assert architecture(nobody, {}, None) == "amd64"
        finally:
            for binding in bindings:
                subjects = {"subjects": binding["subjects"]}
                api.patch(f"{path}/{binding['metadata']['name']}", subjects)


def _may_see_the_version(session: kube.Session) -> bool:
    try:
        return bool(session.get("/version"))
    except DeniedError:
        return False
