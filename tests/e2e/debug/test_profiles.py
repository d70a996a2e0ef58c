"""Profiles and capabilities, beside a hardened container, with the programs that need them."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agtool.pause.image import Image, write_archive
from tests.cluster.api import Object
from tests.cluster.images import busybox, libraries
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.test_beside import make_pod
from tests.servers.process import find_program

HARDENED = {
    "runAsNonRoot": True,
    "runAsUser": 1234,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
NAME = "localhost/agtool-tests/tracing:1"


def image_with(programs: Sequence[str]) -> Image:
    """Busybox's image with programs of this machine. Raises ServerUnavailable."""
    base = busybox()
    files = dict(base.files)
    links = dict(base.links)
    for name in programs:
        program = find_program(name)
        for library in libraries(program):
            files[str(library)] = library.read_bytes()
        links.pop(f"/bin/{name}", None)
        files[f"/bin/{name}"] = program.read_bytes()
    # Debian's gdb does not start without the modules that its Python starts with.
    for folder in Path("/usr/lib").glob("python3.*"):
        for pattern in ("*.py", "encodings/*.py", "collections/*.py", "importlib/*.py", "re/*.py"):
            files |= {str(path): path.read_bytes() for path in folder.glob(pattern)}
    return replace(base, files=files, links=links)


def hardened_pod(person: Person) -> None:
    web: Object = {"name": "web", "image": person.cluster.images.busybox}
    # In the pod, too: there kubectl's profiles have no effect.
    pod = {"runAsUser": 1234, "runAsGroup": 5}
    make_pod(person, {"containers": [{**web, "securityContext": HARDENED}], "securityContext": pod})


TRACE = "timeout 3 strace -f -p 1; true"
DEBUG = "gdb -batch -p 1 -ex 'info registers rip' -ex detach"
# The packets are our own: they go where the target's go, since the pod shares its network.
RECORD = (
    "(for i in 1 2 3 4 5 6 7 8; do sleep 0.3; wget -q http://127.0.0.1:9/; done) 2>/dev/null & "
    "timeout 10 tcpdump -Z root -c 1 -ni lo"
)


def test_the_real_programs(person: Person, tmp_path: Path) -> None:
    archive = tmp_path / "tracing.tar"
    write_archive(archive, NAME, [image_with(["strace", "gdb", "tcpdump"])])
    person.cluster.load(archive)
    hardened_pod(person)
    argv = ("--target", "pod/web-0", "--image", NAME, "--image-pull-policy", "Never", "--root")
    done = person.run(*argv, "--profile", "general", "--", "sh", "-c", TRACE)
    assert "Process 1 attached" in done.stderr
    assert "rt_sig" in done.stderr  # pause waits for a signal
    done = person.run(*argv, "--profile", "general", "--", "sh", "-c", DEBUG)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.partition("rip ")[2].strip().startswith("0x"), done.stderr
    done = person.run(*argv, "--profile", "netadmin", "--", "sh", "-c", RECORD)
    assert "127.0.0.1.9" in done.stdout, done.stderr
    # Without root there is no such right, and that is said.
    done = person.run(*argv[:-1], "--profile", "netadmin", "--", "sh", "-c", RECORD)
    assert "The capabilities have no effect as user 1234, only as root: add --root." in done.stderr
    assert done.exit_code != 0


@pytest.mark.parametrize(
    ("profile", "bits"),
    [
        ("general", [19]),
        ("netadmin", [12, 13]),
        ("sysadmin", [19, 21, 12, 13]),
        ("baseline", [0]),
    ],
)
def test_a_profile_with_root(person: Person, profile: str, bits: list[int]) -> None:
    hardened_pod(person)
    show = ("--", "sh", "-c", "grep CapEff /proc/self/status; touch /x && echo written")
    for where in (["--target", "pod/web-0"], []):
        done = person.run(*where, "--root", "--profile", profile, *show)
        assert done.exit_code == 0, done.stderr
        capabilities, written = done.stdout.splitlines()
        assert all(int(capabilities.split()[1], 16) >> bit & 1 for bit in bits), capabilities
        assert written == "written"


def test_restricted_and_a_single_capability(person: Person) -> None:
    person.enforce("restricted")
    done = person.run("--profile", "restricted", "--", "id", "-u")
    assert (done.exit_code, done.stdout) == (0, "65532\n"), done.stderr
    done = person.run("--profile", "general", "--", "true")
    assert (done.exit_code, "SYS_PTRACE" in done.stderr) == (125, True)
    person.enforce("privileged")
    done = person.run(
        "--cap-add", "SYS_TIME", "--root", "--", "grep", "CapEff", "/proc/self/status"
    )
    assert int(done.stdout.split()[1], 16) >> 25 & 1, done.stderr
    assert not person.pods()


def test_a_profile_on_a_node(person: Person) -> None:
    node = ("--node", person.cluster.node)
    script = "ls -d /host; ls /proc | grep -c '^[0-9]'; id -u"
    done = person.run(*node, "--profile", "general", "--", "sh", "-c", script)
    host, processes, user = done.stdout.splitlines()
    assert (host, int(processes) > 5, user) == ("/host", True, "0"), done.stderr
    done = person.run(*node, "--profile", "baseline", "--", "sh", "-c", script)
    processes, user = done.stdout.splitlines()
    assert (int(processes) <= 5, user) == (True, "0"), done.stderr


def test_kubectl_says_what_its_profiles_are(person: Person) -> None:
    """Hold our table against kubectl's own: what it adds for each profile."""
    make_pod(person, {})
    before = person.api.get(f"/api/v1/namespaces/{person.namespace}/pods/web-0")
    assert not before["spec"].get("ephemeralContainers")
    theirs = {}
    ours = {}
    for profile in ("general", "baseline", "restricted", "netadmin", "sysadmin"):
        argv = [str(person.cluster.kubectl), "-n", person.namespace, "debug", "pod/web-0", "-q"]
        argv += [
            "--image",
            person.cluster.images.busybox,
            "--profile",
            profile,
            "-c",
            f"k-{profile}",
        ]
        subprocess.run(
            argv,
            env={"KUBECONFIG": str(person.kubeconfig), "HOME": "/"},
            check=True,
            capture_output=True,
        )
        done = person.run("--target", "pod/web-0", "--profile", profile, "--", "true")
        pod = person.api.get(f"/api/v1/namespaces/{person.namespace}/pods/web-0")
        by_name = {one["name"]: one for one in pod["spec"]["ephemeralContainers"]}
        theirs[profile] = by_name[f"k-{profile}"].get("securityContext")
        # Whom it runs as is ours to choose where no capability asks for root.
        mine = dict(by_name[name_in(done.stderr)].get("securityContext") or {})
        for field in ("runAsUser", "runAsGroup"):
            mine.pop(field, None)
        if mine.get("runAsNonRoot") is False:
            del mine["runAsNonRoot"]
        ours[profile] = mine or None
    assert ours == theirs
