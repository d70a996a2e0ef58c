"""A kubeconfig with an identity provider (OIDC): what the client imports for it comes late."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # comes with the client

from tests.servers import certificates, tls

SHOW = (
    "import sys; from agtool.core.kube.session import connect;"
    "print(connect().websocket_settings().headers); print('requests' in sys.modules)"
)


def jwt(seconds: int) -> str:
    """A token that expires at a moment, in seconds since the epoch; nobody has signed it."""
    parts = ({"alg": "none"}, {"exp": seconds})
    words = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(word.rstrip("=") for word in words), "none"])


def test_an_expired_token_is_renewed(tmp_path: Path) -> None:
    authority = certificates.root("Identity")
    served: dict[str, bytes] = {}
    context = tls.tls_context(tmp_path / "tls", authority.leaf("127.0.0.1", key="rsa2048"))
    with tls.Listener(tls.files(context, served)) as provider:
        url = f"https://127.0.0.1:{provider.port}"
        fresh = jwt(4_000_000_000)
        served["/.well-known/openid-configuration"] = json.dumps(
            {"token_endpoint": f"{url}/token"}
        ).encode()
        served["/token"] = json.dumps(
            {"id_token": fresh, "refresh_token": "second", "access_token": "a", "token_type": "b"}
        ).encode()
        settings = {
            "client-id": "agtool",
            "client-secret": "secret",
            "id-token": jwt(1_000_000_000),
            "idp-issuer-url": url,
            "idp-certificate-authority-data": base64.b64encode(authority.pem.encode()).decode(),
            "refresh-token": "first",
        }
        kubeconfig = tmp_path / "config"
        names = {"cluster": "one", "user": "one"}
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "current-context": "one",
                    "clusters": [{"name": "one", "cluster": {"server": "https://one.invalid"}}],
                    "users": [
                        {
                            "name": "one",
                            "user": {"auth-provider": {"name": "oidc", "config": settings}},
                        }
                    ],
                    "contexts": [{"name": "one", "context": names}],
                }
            )
        )
        for asked in ("True", "False"):  # what was renewed is kept, and nobody is asked again
            done = subprocess.run(
                [sys.executable, "-c", SHOW],
                env={"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert f"Bearer {fresh}" in done.stdout, done.stderr
            assert done.stdout.split()[-1] == asked
