"""Tokens that the API server does not accept any more."""

import time
from pathlib import Path

import pytest

from tests.cluster import pki
from tests.cluster.api import Api, Object, Refused
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person
from tests.e2e.debug.login import account, end_with, go_on, log_in, start_waiting, token_of

__all__ = ["account"]


def accepted(person: Person) -> bool:
    """Whether the API server accepts the person's token."""
    with Api(person.kubeconfig) as api:
        try:
            api.get(f"/api/v1/namespaces/{person.namespace}/pods")
        except Refused as refused:
            assert refused.status == 401  # noqa: PT017  # no other refusal is meant
            return False
    return True


def test_a_token_that_has_expired(person: Person, account: Object, tmp_path: Path) -> None:
    def token(expires: float) -> str:
        """As the API server makes one, which gives none for less than ten minutes."""
        issuer = "https://kubernetes.default.svc"
        named = {"name": "ci", "uid": account["metadata"]["uid"]}
        claims = {
            "iss": issuer,
            "aud": [issuer],
            "sub": f"system:serviceaccount:{person.namespace}:ci",
            "iat": int(expires) - 3600,
            "exp": int(expires),
            "kubernetes.io": {"namespace": person.namespace, "serviceaccount": named},
        }
        return pki.sign_token(person.cluster.service_account_key, claims)

    log_in(person, token(time.time() + 600), tmp_path)
    assert accepted(person)
    # The API server forgives a minute.
    log_in(person, token(time.time() - 61), tmp_path)
    done = person.run("--", "true")
    assert (done.exit_code, done.stdout) == (125, "")
    assert f"{person.cluster.url} does not accept our credentials (401)" in done.stderr
    assert "Log in again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not person.pods()


@pytest.mark.usefixtures("account")
def test_a_token_whose_object_is_deleted(person: Person, tmp_path: Path) -> None:
    log_in(person, token_of(person, "bound"), tmp_path)
    running = start_waiting(person)
    end_with(person, "bound")
    wait_until(lambda: not accepted(person), "the token is not accepted")
    # What is there already goes on, and so the command's exit code is known.
    name = person.pod()["metadata"]["name"]
    done = go_on(person, running, name)
    assert f"pod {name} could not be removed" in done.stderr
    assert "does not accept our credentials (401)" in done.stderr
    assert "Log in again" in done.stderr
    assert "ends by itself" in done.stderr
    done = person.run("--", "true")
    assert (done.exit_code, "does not accept our credentials" in done.stderr) == (125, True)
