"""What a run says of what it could not start."""

from pathlib import Path

import pytest

from agtool.core.kube.ended import Ended
from agtool.core.options import ClusterOptions
from agtool.debug.model import Job, Request, Workload
from agtool.debug.run import run
from agtool.debug.session.exec import ExecError
from agtool.debug.ways import Ways

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: abc}}]
"""


@pytest.mark.parametrize(("image", "told"), [("", "the pod's image"), ("alpine", "alpine")])
def test_a_shell_that_a_copy_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: str, told: str
) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    # The image of a copy is that of its pod, unless another is given.
    job = Job(  # noqa: S604  # which shell, not whether
        cluster=ClusterOptions(kubeconfig=tmp_path / "kubeconfig"),
        request=Request(name="debug-x", namespace="shop", image=image, lifetime=60),
        command=[],
        shell="/nosuch",
        stdin=True,
        terminal=False,
        timeout=1,
        target=Workload("pod", "web-0"),
        in_copy=True,
    )
    ended = Ended(127, 'exec: "/nosuch": no such file or directory')
    monkeypatch.setattr(Ways, "in_a_new_pod", lambda _: ended)
    with pytest.raises(ExecError) as raised:
        run(job)
    assert raised.value.message == f"{told} has no /nosuch"
