"""How Kubernetes is built from Debian's source. What is built is known by a hash of this file.

Debian has no servers of Kubernetes, only kubectl; but the source package, from which that is made,
has the source of all, with every library. It wants a Go of its time, and a GOPATH.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.servers.process import ServerUnavailable

VERSION = "1.20.2"
SUITE = "bookworm"

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")

PAUSE = "build/pause/linux/pause.c"
"""Kubernetes' own pause, which is kept to be measured beside ours."""

GO = Path("/usr/lib/go-1.19/bin")

PACKAGES = 1991
"""How many packages of Go are compiled, for an estimate."""

TAGS = "providerless dockerless"

# Without the data for debuggers compiling takes a seventh less time.
COMPILE = ("-v", "-trimpath", f"-tags={TAGS}", "-gcflags=all=-dwarf=false")


class Archive(NamedTuple):
    """An archive of a source package, and what it has to be; apt checks signatures besides."""

    package: str
    file: str
    sha256: str


KUBERNETES = Archive(
    "kubernetes",
    "kubernetes_1.20.5+really1.20.2.orig.tar.gz",
    "b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc",
)

# The reflect2 in the archive above, 1.0.1, makes kube-apiserver crash under Go 1.18 and newer, as
# soon as it walks through a map: "unexpected fault address", reflect.mapiterinit.
REFLECT2 = Archive(
    "golang-github-modern-go-reflect2",
    "golang-github-modern-go-reflect2_1.0.2.orig.tar.gz",
    "86049e7ba480c7da86b3d459f13a7c6c383a769134bf4eac0023a0aa024244de",
)

REFLECT2_HOME = "vendor/github.com/modern-go/reflect2"

# The one file of the source that is not in the archive, and what generates it.
OPENAPI = Path("pkg/generated/openapi/zz_generated.openapi.go")
OPENAPI_NEW = "zz_generated.openapi.new"
OPENAPI_GEN = "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"


def go() -> Path:
    """The compiler. Raises ServerUnavailable."""
    program = GO / "go"
    if not program.exists():
        raise ServerUnavailable(
            f"golang-1.19-go, of Debian {SUITE}, is not installed; "
            "tests/install-system-packages.sh helps"
        )
    return program


def identity() -> str:
    """What tells one result from another: this file, which names the source, and the compiler.

    Raises ServerUnavailable.
    """
    version = subprocess.run([go(), "version"], capture_output=True, check=True).stdout
    return hashlib.sha256(Path(__file__).read_bytes() + version).hexdigest()[:12]


def mirror() -> str:
    """Where this machine gets Debian's packages from. Raises ServerUnavailable."""
    try:
        found = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        found = ""
    for line in found.splitlines():
        uri, *rest = line.split()
        if rest == [SUITE, "main"]:
            return uri
    raise ServerUnavailable(
        f"the source of Kubernetes comes from Debian {SUITE}; this is another system"
    )


def apt(folder: Path) -> list[str]:
    """An apt-get with a configuration and lists of its own: the machine's know no sources."""
    for name in ("lists/partial", "cache"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(f"deb-src {mirror()} {SUITE} main\n")
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": 3,
    }
    options = [f"--option={name}={value}" for name, value in settings.items()]
    return ["apt-get", "--quiet", *options]


def unpack(archive: Archive, downloads: Path, target: Path) -> None:
    """Unpack an archive without its topmost folder. Raises ServerUnavailable if it is another."""
    path = downloads / archive.file
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != archive.sha256:
        path.unlink(missing_ok=True)
        raise ServerUnavailable(
            f"Debian {SUITE} no longer has {archive.file} as it was when this was written"
        )
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = [
        "tar",
        "--extract",
        "--strip-components=1",
        f"--file={path}",
        f"--directory={target}",
    ]
    subprocess.run(command, check=True)


def environment(folder: Path) -> dict[str, str]:
    """What Go is run with, for a GOPATH in a folder: nothing of the person's, and no network."""
    return {
        "PATH": f"{GO}:{os.defpath}",
        "HOME": str(folder),
        "GOPATH": str(folder / "gopath"),
        "GOCACHE": str(folder / "gocache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        # The compiler's own: an eighth less time, for more memory.
        "GOGC": "400",
    }


def source(folder: Path) -> Path:
    """Where the source lies, for a GOPATH in a folder."""
    return folder / "gopath" / "src" / "k8s.io" / "kubernetes"


def openapi_arguments(kubernetes: Path) -> list[str]:
    """The arguments of openapi-gen, which then writes OPENAPI, in a file of another name."""
    marked = "^// *+k8s:openapi-gen="
    tops = ("cmd", "pkg", "plugin", "staging/src/k8s.io", "third_party")
    listed = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--include=*.go", marked, *tops],
        cwd=kubernetes,
        capture_output=True,
        text=True,
        check=True,
    )
    folders = {str(Path(file).parent) for file in listed.stdout.splitlines()}
    examples = ("staging/src/k8s.io/code-generator", "staging/src/k8s.io/sample-apiserver")
    inputs = [
        f"k8s.io/kubernetes/{folder.replace('staging/src/', 'vendor/')}"
        for folder in sorted(folders)
        if not folder.startswith(examples)
    ]
    return [
        "--logtostderr",
        f"--input-dirs={','.join(inputs)}",
        f"--output-package=k8s.io/kubernetes/{OPENAPI.parent}",
        f"--output-file-base={OPENAPI_NEW}",
        f"--go-header-file={kubernetes / 'hack/boilerplate/boilerplate.generatego.txt'}",
        f"--report-filename={os.devnull}",
    ]


def link_flags() -> str:
    """The version that the programs say they are."""
    values = {
        "gitVersion": f"v{VERSION}",
        "gitMajor": "1",
        "gitMinor": "20",
        "gitTreeState": "archive",
        "buildDate": "2021-01-13T13:20:00Z",
    }
    packages = ("component-base/version", "client-go/pkg/version")
    named = [
        f"-X k8s.io/kubernetes/vendor/k8s.io/{package}.{name}={value}"
        for package in packages
        for name, value in values.items()
    ]
    return " ".join(["-s", "-w", *named])
