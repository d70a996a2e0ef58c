"""`agtool le-staging env`: real programs trust the staging roots with it, and not without."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.e2e.le_staging.local import Local, local_sites
from tests.e2e.le_staging.site import Site
from tests.servers import tls
from tests.servers.process import find_program

PYTHON = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode(), end="")
"""
NODE = """
require("https").get(process.argv[2], answer => {
  answer.on("data", data => process.stdout.write(data));
}).on("error", error => { console.error(error.code); process.exit(1); });
"""
RUBY = """
require "net/http"
print Net::HTTP.get(URI(ARGV[0]))
"""
GO = """
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	answer, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	body, _ := io.ReadAll(answer.Body)
	fmt.Print(string(body))
}
"""
JAVA = """
import java.net.URL;

public class Probe {
    public static void main(String[] arguments) throws Exception {
        System.out.print(new String(new URL(arguments[0]).openStream().readAllBytes()));
    }
}
"""
PROGRAMS: dict[str, tuple[str, str, list[str]]] = {
    "python": ("probe.py", PYTHON, [sys.executable]),
    "node": ("probe.js", NODE, ["node"]),
    "ruby": ("probe.rb", RUBY, ["ruby"]),
    "go": ("probe.go", GO, ["go", "run"]),
    "java": ("Probe.java", JAVA, ["java"]),
    "curl": ("", "", ["curl", "--silent", "--show-error", "--fail"]),
}


@pytest.fixture
def local(site: Site, tmp_path: Path) -> Iterator[Local]:
    """Give two sites that say hello."""
    with local_sites(site, tmp_path, tls.https) as made:
        yield made


@pytest.mark.timeout(300)  # Go compiles its library, with all of TLS
@pytest.mark.parametrize("name", PROGRAMS)
def test_real_programs(local: Local, name: str) -> None:
    file, code, command = PROGRAMS[name]
    with needed():
        program = find_program(command[0]) if "/" not in command[0] else Path(command[0])
    if file:
        (local.folder / file).write_text(code)
    argv: list[str | Path] = [program, *command[1:], *([file] if file else [])]
    # Go has its cache in the home.
    home = {"GOCACHE": str(local.folder / "go"), "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    code_, out, err = local.run(*argv, local.url, trusting=False, **home)
    assert code_ != 0, (out, err)
    code_, out, err = local.run(*argv, local.url, trusting=True, **home)
    assert (code_, out) == (0, "hello\n"), err
    # What is not staging is refused as before; what the person trusts is trusted as before.
    code_, out, err = local.run(*argv, local.company_url, trusting=True, **home)
    assert code_ != 0, (out, err)
    if name not in {"node", "curl"}:
        own = {"SSL_CERT_FILE": str(local.company_file)}
        code_, out, err = local.run(*argv, local.company_url, trusting=True, **home, **own)
        assert (code_, out) == (0, "hello\n"), err


@pytest.mark.timeout(300)
def test_java_with_a_folder_whose_name_has_a_space(local: Local) -> None:
    """Java splits its options at spaces, and takes what stands between quotes for one."""
    with needed():
        java = find_program("java")
    (local.folder / "Probe.java").write_text(JAVA)
    home = local.folder / "a folder's own"
    shutil.copytree(local.site.env["XDG_DATA_HOME"], home)
    code, out, err = local.run(
        java, "Probe.java", local.url, trusting=True, XDG_DATA_HOME=str(home)
    )
    assert (code, out) == (0, "hello\n"), err


def test_git(local: Local) -> None:
    """A server that is no repository is not found; one that is not trusted is not asked."""
    with needed():
        git = find_program("git")
    code, _, err = local.run(git, "ls-remote", local.url, trusting=False)
    assert code
    assert "certificate" in err
    code, _, err = local.run(git, "ls-remote", local.url, trusting=True)
    assert "certificate" not in err


def test_the_public_roots_are_there_where_a_variable_replaces(local: Local) -> None:
    import certifi

    public = Path(certifi.where()).read_text(encoding="utf-8").count("BEGIN CERTIFICATE")
    done = local.site.le_staging("env", "-o", "json", SSL_CERT_FILE="")
    data = json.loads(done.stdout)["data"]
    assert data["roots"] == ["Test Staging Root"]
    files = {one["name"]: one for one in data["variables"]}
    for name, one in files.items():
        if name == "JAVA_TOOL_OPTIONS":
            continue
        count = Path(one["value"]).read_text(encoding="utf-8").count("BEGIN CERTIFICATE")
        assert count == (public + 1 if one["replaces"] else 1), name
    assert not files["NODE_EXTRA_CA_CERTS"]["replaces"]
    store = files["JAVA_TOOL_OPTIONS"]["value"].split()[0].partition("=")[2]
    with needed():
        keytool = find_program("keytool")
    argv = [keytool, "-list", "-keystore", store, "-storepass", "changeit"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=110).stdout
    assert listed.count("trustedCertEntry") == public + 1


def test_a_shell_takes_it(local: Local) -> None:
    done = local.site.le_staging("env")
    assert done.exit_code == 0
    script = f"{done.stdout}\ncurl --silent --fail {shlex.quote(local.url)}"
    shell = shutil.which("sh")
    assert shell
    assert local.run(shell, "-c", script, trusting=False)[:2] == (0, "hello\n")


def test_the_command_s_end_is_its_own(local: Local) -> None:
    assert local.run("sh", "-c", "exit 7", trusting=True)[0] == 7
    assert local.run("sh", "-c", "kill -TERM $$", trusting=True)[0] == -15
    code, out, err = local.run("no-such-program", trusting=True)
    assert (code, out) == (127, "")
    assert "was not found" in err
    (local.folder / "plain").write_text("text")
    code, _, err = local.run(local.folder / "plain", trusting=True)
    assert code == 126
    empty = {"XDG_DATA_HOME": str(local.folder / "empty"), "HTTPS_PROXY": "http://127.0.0.1:1"}
    assert local.run("true", trusting=True, **empty, no_proxy="", NO_PROXY="")[0] == 125


def test_what_java_had_stays(local: Local) -> None:
    done = local.site.le_staging("env", "-o", "json", JAVA_TOOL_OPTIONS="-Dx=y")
    data = json.loads(done.stdout)["data"]["variables"]
    (java,) = (one["value"] for one in data if one["name"] == "JAVA_TOOL_OPTIONS")
    assert java.startswith("-Dx=y -Djavax.net.ssl.trustStore=")
