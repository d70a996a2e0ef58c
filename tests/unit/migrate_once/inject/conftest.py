"""A manifest, and `agtool migrate-once inject` in our process."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from agtool import app

IMAGE = "registry.example/agtool:1"

SHOP = """\
# The shop.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      initContainers:
        - name: proxy
          image: registry.example/proxy:7
          restartPolicy: Always
        - name: migrate
          image: registry.example/shop:1.4.2
          command: [rake]
          args: ["db:migrate"]
          env: [{name: DATABASE_URL, value: x}]
      containers:
        - name: shop
          image: registry.example/shop:1.4.2
          env:
            - name: DATABASE_URL
              valueFrom: {secretKeyRef: {name: shop, key: url}}
            - name: DB_PASSWORD
              value: hunter2
          envFrom: []
          resources:
            limits: {memory: 64Mi}
          securityContext: {runAsUser: 1000}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes:
        - name: data
          emptyDir: {}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}   # as it was\n"


class Done(NamedTuple):
    """How it ended."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def documents(self) -> list[Any]:
        """What it printed."""
        return list(yaml.safe_load_all(self.stdout))


Inject = Callable[..., Done]


@pytest.fixture
def inject(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Inject:
    """Give the function that runs `agtool migrate-once inject ARGUMENTS...` in our process."""

    def run(*arguments: object, stdin: str | bytes = b"", image: str = IMAGE) -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        line = ["agtool", "migrate-once", "inject", *map(str, arguments)]
        monkeypatch.setenv("AGTOOL_IMAGE", image)
        monkeypatch.setattr(sys, "argv", line)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = app.main()
        out, err = capfdbinary.readouterr()
        stderr = err.decode()
        assert "Traceback" not in stderr
        return Done(code, out, stderr)

    return run


def spec_of(done: Done, at: int = 0) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    return dict(done.documents[at]["spec"]["template"]["spec"])
