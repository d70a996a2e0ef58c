"""`agtool le-staging env`: each program believes its variable, and no other one is needed for it.

Those that Debian has anyway are tested in tests/e2e/le_staging/test_env.py.
"""

import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import pytest

from tests.conftest import needed
from tests.e2e.le_staging.conftest import site
from tests.e2e.le_staging.local import Local, local_sites
from tests.e2e.le_staging.site import PROXIES, Site
from tests.servers import tls
from tests.servers.process import find_program
from tests.tools.installed import installed

__all__ = ["site"]


def wheel() -> bytes:
    """A package for pip."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = "probe-1.dist-info/"
        archive.writestr(f"{info}METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1\n")
        archive.writestr(f"{info}WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}RECORD", "")
    return packed.getvalue()


SERVED = {
    "/": b"hello\n",
    # Of a bucket, of a registry of npm, of any place, and of a registry of Cargo.
    "/bucket/key": b"hello\n",
    "/probe": json.dumps(
        {
            "name": "probe",
            "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": {"name": "probe", "version": "1.0.0", "description": "hello"}},
        }
    ).encode(),
    "/probe-1-py3-none-any.whl": wheel(),
    "/config.json": b'{"dl": "https://localhost:1"}',
    "/pr/ob/probe": json.dumps(
        {"name": "probe", "vers": "1.0.0", "deps": [], "cksum": "0" * 64, "features": {}}
        | {"yanked": False}
    ).encode(),
}


class Program(NamedTuple):
    """A program that reads one of the variables.

    Attributes:
        command: {url} is the site's, {bin} and {modules} the folders of what is installed, {new}
            an empty folder, and {script} a file with `script`.
        said: what it prints if it trusts the site.
        environment: what it is given beside.
    """

    variable: str
    command: str
    script: str = ""
    said: str = "hello"
    environment: dict[str, str] = {}  # noqa: RUF012


PROGRAMS = {
    "npm": Program(
        "npm_config_cafile",
        "npm view probe description --registry={url} --fetch-retries=0 --cache={new}",
    ),
    "nix": Program(
        "NIX_SSL_CERT_FILE",
        "nix-prefetch-url --print-path --option download-attempts 1 {url}probe-1-py3-none-any.whl",
        said="-probe-1-py3-none-any.whl",
        environment={
            "NIX_STORE_DIR": "{home}/store",
            "NIX_STATE_DIR": "{home}/state",
            "NIX_LOG_DIR": "{home}/log",
            "NIX_CONF_DIR": "{home}",
        },
    ),
    "grpc": Program(
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "{bin}/python {script} {certificates}",
        """
import grpc, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
folder = Path(sys.argv[1])
pair = tuple((folder / name).read_bytes() for name in ("key.pem", "chain.pem"))
with ThreadPoolExecutor(1) as threads:
    server = grpc.server(threads)
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([pair]))
    server.start()
    with grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials()) as channel:
        try:
            channel.unary_unary("/no/Such")(b"", timeout=60)
        except grpc.RpcError as error:
            print(error.code(), error.details())
    server.stop(None)
""",
        said="UNIMPLEMENTED",
    ),
    "httplib2": Program(
        "HTTPLIB2_CA_CERTS",
        "{bin}/python {script} {url}",
        "import httplib2, sys; print(httplib2.Http().request(sys.argv[1])[1].decode())",
    ),
    "requests": Program(
        "REQUESTS_CA_BUNDLE",
        "{bin}/python {script} {url}",
        "import requests, sys; print(requests.get(sys.argv[1]).text)",
    ),
    "botocore": Program(
        "AWS_CA_BUNDLE",
        "{bin}/python {script} {url}",
        """
import sys
import botocore, botocore.config, botocore.session
config = botocore.config.Config(
    signature_version=botocore.UNSIGNED,
    retries={"max_attempts": 0},
    s3={"addressing_style": "path"},
)
client = botocore.session.get_session().create_client(
    "s3", "eu-central-1", endpoint_url=sys.argv[1], config=config
)
print(client.get_object(Bucket="bucket", Key="key")["Body"].read().decode())
""",
    ),
    "pip": Program(
        "PIP_CERT",
        "{bin}/python -m pip download --retries=0 --no-deps --dest={new} "
        "{url}probe-1-py3-none-any.whl",
        said="Successfully downloaded probe",
        environment={"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"},
    ),
    "deno": Program(
        "DENO_CERT",
        "{modules}/.bin/deno run --quiet --allow-net {script} {url}",
        "console.log(await (await fetch(Deno.args[0])).text());",
        environment={"DENO_DIR": "{home}/deno"},
    ),
    "cargo": Program(
        "CARGO_HTTP_CAINFO",
        "sh {script} {url} {new}",
        """
cd "$2" && mkdir src && touch src/lib.rs
cat >Cargo.toml <<EOF
[package]
name = "it"
version = "1.0.0"
[dependencies]
probe = "1"
EOF
cat >config.toml <<EOF
[source.crates-io]
replace-with = "ours"
[source.ours]
registry = "sparse+$1"
EOF
export CARGO_HOME="$PWD" CARGO_NET_RETRY=0
# Debian 12's cargo does not do by itself yet what later ones do.
export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_SPARSE_REGISTRY=true
# Debian's, since one of rustup's wants the person's home.
/usr/bin/cargo generate-lockfile && cat Cargo.lock
""",
        said='name = "probe"',
    ),
    "php": Program(
        "SSL_CERT_FILE",
        "php {script} {url}",
        "<?php echo file_get_contents($argv[1]) ?: exit(1);",
    ),
    "perl": Program(
        "SSL_CERT_FILE",
        "perl {script} {url}",
        """
use HTTP::Tiny;
print HTTP::Tiny->new(verify_SSL => 1)->get($ARGV[0])->{content};
""",
    ),
}


@pytest.fixture
def local(site: Site, tmp_path: Path) -> Iterator[Local]:
    """Give two sites with something for each program."""
    with local_sites(site, tmp_path, lambda context: tls.files(context, SERVED)) as made:
        yield made


class Trust(NamedTuple):
    """What programs trust, with these variables or those."""

    local: Local
    tools: Path
    home: Path
    proxy: tls.Listener

    def accepts(
        self,
        program: Program,
        url: str,
        variables: Mapping[str, str | Path] | None = None,
        *,
        trusting: bool = False,
    ) -> bool:
        """Whether a program does what it is asked to; it asks nobody else, as its proxy tells."""
        script = self.home / "script"
        script.write_text(program.script)
        places = {
            "url": url,
            "certificates": self.local.certificates(url),
            "script": script,
            "home": self.home,
            "new": mkdtemp(dir=self.home),
            "bin": self.tools / "venv/bin",
            "modules": self.tools / "node_modules",
        }
        argv = [word.format(**places) for word in program.command.split()]
        with needed():
            argv[0] = str(find_program(argv[0]))
        proxy = f"http://127.0.0.1:{self.proxy.port}/"
        environment = {
            **{name: value.format(**places) for name, value in program.environment.items()},
            **dict.fromkeys((*PROXIES, "HTTP_PROXY", "http_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1"),
            "HOME": str(self.home),
            **{name: str(value) for name, value in (variables or {}).items()},
        }
        _, out, err = self.local.run(*argv, trusting=trusting, **environment)
        sys.stdout.write(f"{program.variable}: {out}{err}\n")
        assert self.proxy.connections == 0
        return program.said in out


@pytest.fixture
def trust(site: Site, tmp_path: Path) -> Iterator[Trust]:
    """Give two sites with something for each program, and an empty home."""
    with needed():
        tools = installed("trust")
    home = tmp_path / "home"
    home.mkdir()
    with (
        local_sites(site, tmp_path, lambda context: tls.files(context, SERVED)) as local,
        tls.Listener(tls.hang_up) as proxy,
    ):
        yield Trust(local, tools, home, proxy)


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_believes_its_variable(name: str, trust: Trust) -> None:
    program, local = PROGRAMS[name], trust.local
    assert not trust.accepts(program, local.url)
    alone = {program.variable: local.variables[program.variable]}
    assert trust.accepts(program, local.url, alone)
    assert not trust.accepts(program, local.company_url, alone)
    # Also where a person has set it already.
    own = {program.variable: local.company_file}
    assert trust.accepts(program, local.company_url, own)
    assert not trust.accepts(program, local.url, own)
    assert trust.accepts(program, local.url, own, trusting=True)


def test_npm_with_a_setting_of_its_own(trust: Trust) -> None:
    """Then what is said to Node.js does not count."""
    npm, local = PROGRAMS["npm"], trust.local
    (trust.home / ".npmrc").write_text(f"cafile={local.company_file}\n")
    assert trust.accepts(npm, local.company_url)
    node = "NODE_EXTRA_CA_CERTS"
    assert not trust.accepts(npm, local.url, {node: local.variables[node]})
    assert trust.accepts(npm, local.url, trusting=True)
