"""What is recorded: for each scene the servers behind it, and what is typed."""

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.cluster.build import programs
from tests.cluster.cluster import Cluster
from tests.cluster.instances import own_folder
from tests.cluster.nodes import FakeNodes
from tests.e2e.conftest import wait_until
from tests.recordings.shell import Shell
from tests.servers import tls
from tests.servers.pebble import Pebble
from tests.servers.postgresql import PostgreSQL, find_postgresql
from tests.servers.process import server_folder

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "docs" / "tutorial" / "practice" / "runner.yaml"
HOSTNAME = "kubernetes.io/hostname"
POOL = "cloud.google.com/gke-preemptible"

# Seconds for which a certificate of the recording's ACME server is valid: one expires on the way.
VALID = 60


@dataclass(frozen=True)
class Scene:
    """title and description: for who cannot see it. record: plays it on a terminal."""

    name: str
    title: str
    description: str
    record: Callable[[Path, Path], None]


REPLICAS = """\
#!/bin/sh
# Five replicas of one Deployment start at once.
for number in 1 2 3 4 5; do
    POD_NAME=shop-$number agtool migrate-once --key v2 -- ./upgrade </dev/null 2>&1 |
        sed -u "s/^agtool:/shop-$number:/" &
done
sleep 3
"""
UPGRADE = """\
#!/bin/sh
exec psql --quiet --dbname "$DATABASE_URL" --file upgrade.sql --output /dev/null
"""
SQL = """\
BEGIN;
ALTER TABLE customers ADD COLUMN email text;
SELECT pg_sleep(15);
COMMIT;
"""


def _replicas(folder: Path, cast: Path) -> None:
    """Record five replicas that upgrade a PostgreSQL; who is at work is killed."""
    with PostgreSQL(folder / "postgresql") as server:
        server.start()
        url = f"postgresql://app:{quote(server.passwords['app'])}@127.0.0.1:{server.port}/app"
        work = _folder(folder / "work")
        for name, text in (("replicas", REPLICAS), ("upgrade", UPGRADE)):
            (work / name).write_text(text)
            (work / name).chmod(0o755)
        (work / "upgrade.sql").write_text(SQL)
        psql = find_postgresql("psql").parent
        env = {"DATABASE_URL": url, "PATH": f"{_path()}:{psql}:{os.environ['PATH']}"}
        # A database with a history, as most have.
        first = ["agtool", "migrate-once", "--key", "v1", "--", "psql", "--quiet", "--dbname", url]
        first += ["--command", "CREATE TABLE customers (id int PRIMARY KEY)"]
        known = {**os.environ, **env, "POD_NAME": "shop-0"}
        subprocess.run(first, env=known, check=True, capture_output=True)
        with Shell(work, env, rows=26) as shell:
            shell.run("./replicas")
            shell.expect(r"(held by.*){4}")
            status = shell.run("agtool migrate-once --status")
            found = re.search(r"held by shop-\d\s+\(pid\s+(\d+)", status)
            assert found, status
            shell.pause(2)
            shell.type(f"kill -9 {found[1]}; sleep 20")
            shell.expect(r"was killed.*exit code 0.*(already done.*){3}\$ $")
            shell.run("agtool migrate-once --status")
            shell.pause(1)
        shell.write(cast)


def _certificates(folder: Path, cast: Path) -> None:
    """Record a site whose certificate has expired, its renewal, and the site again."""
    with Pebble(folder / "pebble", valid_seconds=VALID) as pebble, ExitStack() as stack:
        home = _folder(folder / "home")
        env = {
            "PATH": f"{_path()}:{os.environ['PATH']}",
            "SSL_CERT_FILE": str(pebble.ca_file),
            "REQUESTS_CA_BUNDLE": str(pebble.ca_file),
            "XDG_CONFIG_HOME": str(home / ".config"),
        }
        _fetch_roots(pebble, {**os.environ, **env, "HOME": str(home)})
        live = pebble.issue("shop.example.dev")
        issued = time.monotonic()
        settings = _folder(home / ".config" / "letsencrypt") / "cli.ini"
        certbot = live.parents[2]
        lines = [f"{what}-dir = {certbot / what}" for what in ("config", "work", "logs")]
        settings.write_text("\n".join(lines) + "\n")

        def handle(connection: object) -> None:
            # Read anew for each connection, as after the reload of a server.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(live / "fullchain.pem", live / "privkey.pem")
            tls.https(context)(connection)  # type: ignore[arg-type]

        server = stack.enter_context(tls.Listener(handle, host="127.0.0.7", port=443))
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{server.host} shop.example.dev\n")
        mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'
        before = ("unshare", "--mount", "sh", "-c", mount, "sh")
        time.sleep(max(0.0, issued + VALID + 5 - time.monotonic()))
        with Shell(home, env, rows=28, before=before) as shell:
            shell.run("agtool le-staging verify shop.example.dev")
            shell.pause(2)
            shell.run("certbot renew --quiet", 120)
            shell.run("agtool le-staging verify shop.example.dev")
            shell.pause(1)
        shell.write(cast)


def _fetch_roots(pebble: Pebble, env: Mapping[str, str]) -> None:
    """Let agtool have the root of this Pebble, as it would fetch Let's Encrypt's."""
    root = ssl.PEM_cert_to_DER_cert(pebble.root_pem().decode())
    command = [str(_path() / "agtool"), "le-staging", "fetch", "--url", pebble.root_url]
    command += ["--fingerprint", hashlib.sha256(root).hexdigest()]
    subprocess.run(command, env=env, check=True, capture_output=True)


def _debug(folder: Path, cast: Path) -> None:
    """Record a session in a pod, from Enter until the pod is gone."""
    with _cluster() as cluster:
        env = _as_admin(cluster, folder, "shop")
        with Shell(_folder(folder / "home"), env, rows=18) as shell:
            shell.type("agtool debug")
            shell.expect(r"[#$] $")
            for command in ("hostname", "id", "echo $KUBERNETES_SERVICE_HOST"):
                shell.type(command)
                shell.expect(r"\n[^\n]+[#$] $")
            shell.pause(1)
            shell.run("exit")
            shell.run("kubectl get pods")
            shell.pause(1)
        shell.write(cast)


def _pool(folder: Path, cast: Path) -> None:
    """Record apply on a pool of two nodes and a runner, and undo."""
    with _cluster() as cluster, FakeNodes(cluster) as nodes:
        env = _as_admin(cluster, folder, "gitlab")
        kubectl = [str(cluster.kubectl), "--kubeconfig", env["KUBECONFIG"]]
        subprocess.run([*kubectl, "apply", "--filename", str(RUNNER)], check=True)
        # The nodes of the pool have no kubelet: the runner itself stays where one is.
        own = {"spec": {"template": {"spec": {"nodeSelector": {HOSTNAME: cluster.node}}}}}
        patch = ["patch", "deployment", "gitlab-runner", "--patch", json.dumps(own)]
        subprocess.run([*kubectl, *patch], check=True)
        rollout = ["rollout", "status", "deployment/gitlab-runner", "--timeout=120s"]
        subprocess.run([*kubectl, *rollout], check=True)
        with (
            _kept_ready(cluster, nodes.make(2, {POOL: "true"}, prefix="ci")),
            Shell(_folder(folder / "home"), env, rows=30) as shell,
        ):
            shell.run("agtool ci-nodepool status")
            shell.pause(2)
            shell.type("agtool ci-nodepool apply")
            shell.expect(r"\[y/N\]:? $")
            shell.pause(2)
            shell.run("y", 120)
            shell.run("agtool ci-nodepool status")
            shell.pause(2)
            shell.run("agtool ci-nodepool undo --yes", 120)
            shell.pause(1)
        shell.write(cast)


@contextmanager
def _cluster() -> Iterator[Cluster]:
    with own_folder() as folder:
        cluster = Cluster(folder, programs())
        cluster.start()
        yield cluster


def _as_admin(cluster: Cluster, folder: Path, namespace: str) -> dict[str, str]:
    """Give an environment for who may do all, with a namespace to be in."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    kubectl = [str(cluster.kubectl), "--kubeconfig", str(kubeconfig)]
    with cluster.connect() as api:
        api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        wait_until(lambda: api.exists(account), "the namespace is ready")
    context = ["config", "set-context", "--current", f"--namespace={namespace}"]
    subprocess.run([*kubectl, *context], check=True, capture_output=True)
    return {
        "KUBECONFIG": str(kubeconfig),
        "AGTOOL_DEBUG_IMAGE": cluster.images.bash,
        "PATH": f"{_path()}:{cluster.kubectl.parent}:{os.environ['PATH']}",
    }


@contextmanager
def _kept_ready(cluster: Cluster, nodes: list[str]) -> Iterator[None]:
    """Renew the leases of nodes that have no kubelet, until the end."""
    ended = threading.Event()
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

    def renew() -> None:
        with cluster.connect() as api:
            for name in nodes:
                api.post(leases, {"metadata": {"name": name}, "spec": {"holderIdentity": name}})
            while not ended.wait(5):
                now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
                for name in nodes:
                    api.patch(f"{leases}/{name}", {"spec": {"renewTime": now}})

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _path() -> Path:
    """The folder with agtool and certbot."""
    return Path(sys.executable).parent


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


SCENES = (
    Scene(
        "migrate-once",
        "agtool migrate-once: five replicas, and one is killed",
        "Five replicas start at once on one PostgreSQL. One gets the lock and runs the "
        "upgrade, four wait, and --status names them. The one at work is killed with "
        "SIGKILL. Its command is ended too, the next replica gets the lock within seconds "
        "and runs the upgrade to its end. The others find it done and do nothing. The "
        "history has the killed run as lost.",
        _replicas,
    ),
    Scene(
        "debug",
        "agtool debug: from Enter to a shell in the cluster, until the pod is gone",
        "agtool debug makes a pod, waits for it, and opens a shell in it. Three commands "
        "run there. With the end of the shell the pod is deleted: kubectl get pods shows "
        "none.",
        _debug,
    ),
    Scene(
        "le-staging",
        "agtool le-staging: an expired certificate of a staging CA, and the renewed one",
        "agtool le-staging verify says FAILED: the certificate of shop.example.dev has "
        "expired, and names the next step. certbot renews it. The same command then says "
        "STAGING: the chain leads to a root of the staging environment, and nothing is "
        "wrong with it. The CA is Pebble, Let's Encrypt's test server, whose certificates "
        "are valid for one minute here.",
        _certificates,
    ),
    Scene(
        "ci-nodepool",
        "agtool ci-nodepool: apply and undo on a pool of two nodes",
        "status finds that the runner's jobs go to any node. apply shows its steps and "
        "asks. It changes the runner's template and waits for its restart, then taints the "
        "two nodes. status shows the result. undo takes back both.",
        _pool,
    ),
)


def play(scene: Scene, cast: Path) -> None:
    """Record a scene. Raises ServerFailed, ServerUnavailable."""
    with server_folder() as folder:
        scene.record(folder, cast)
