"""Users who may do certain things only."""

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import pki
from tests.cluster.api import Api, Object
from tests.cluster.server import Server
from tests.servers.process import ServerFailed

RBAC = "/apis/rbac.authorization.k8s.io/v1"
SECONDS = 10

_numbers = itertools.count(1)


class Users:
    """Makes users of an API server, from `with` to its end; their kubeconfigs lie in a folder.

    They are service accounts, since an administrator can make these everywhere. A certificate would
    need the key of the cluster's authority.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._api = server.connect()
        # Service accounts need a namespace; this one is for nothing else.
        self.namespace = f"agtool-users-{os.getpid()}-{next(_numbers)}"
        self._made = [f"/api/v1/namespaces/{self.namespace}"]

    def __enter__(self) -> "Users":
        self._api.post("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        return self

    def __exit__(self, *_: object) -> None:
        with self._api:
            for path in reversed(self._made):
                self._api.delete(path)

    def make(self, rules: Sequence[Object], namespace: str | None = None) -> Path:
        """A kubeconfig of a new user with these rights; RBAC has taken them in.

        rules: as in a ClusterRole, or in a Role of the namespace if one is named. Raises
        ServerFailed.
        """
        name = f"user-{next(_numbers)}"
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self._api.post(accounts, {"metadata": {"name": name}})
        self._grant(name, rules, namespace)
        request = {"spec": {"expirationSeconds": 3600}}
        token = self._api.post(f"{accounts}/{name}/token", request)["status"]["token"]
        path = self._folder / f"{name}.kubeconfig"
        pki.write_kubeconfig(path, self._server.url, self._server.ca, token)
        _wait_for(path, rules, namespace or "default")
        return path

    def _grant(self, account: str, rules: Sequence[Object], namespace: str | None) -> None:
        scope, kind = (
            (f"{RBAC}/namespaces/{namespace}/", "") if namespace else (f"{RBAC}/", "Cluster")
        )
        name = f"{self.namespace}-{account}"
        roles = f"{scope}{kind.lower()}roles"
        bindings = f"{scope}{kind.lower()}rolebindings"
        metadata = {"name": name}
        self._api.post(roles, {"metadata": metadata, "rules": list(rules)})
        self._made.append(f"{roles}/{name}")
        subject = {"kind": "ServiceAccount", "name": account, "namespace": self.namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{kind}Role", "name": name}
        self._api.post(bindings, {"metadata": metadata, "subjects": [subject], "roleRef": role})
        self._made.append(f"{bindings}/{name}")


def _wait_for(kubeconfig: Path, rules: Sequence[Object], namespace: str) -> None:
    """RBAC reads roles through watches, so a new one counts a moment later."""
    give_up = time.monotonic() + SECONDS
    review = {"spec": {"namespace": namespace}}
    with Api(kubeconfig) as api:
        while time.monotonic() < give_up:
            path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
            status = api.post(path, review)["status"]
            known = [*status["resourceRules"], *status["nonResourceRules"]]
            if all(any(_covers(each, rule) for each in known) for rule in rules):
                return
            time.sleep(0.02)
    raise ServerFailed(f"RBAC did not take in within {SECONDS} s: {rules}")


def _covers(known: Object, rule: Object) -> bool:
    return all(set(values) <= set(known.get(key, ())) for key, values in rule.items())
