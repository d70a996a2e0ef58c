"""One command in a pod of its own: what it gets, what comes back, what is left."""

import subprocess

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

from tests.e2e.conftest import clean_environment
from tests.e2e.debug.conftest import Person, name_in


def test_a_command_and_its_exit_code(person: Person) -> None:
    done = person.run("--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.exit_code, done.stdout) == (7, "out\n")
    assert "err\n" in done.stderr
    person.nothing_is_left()


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("no-such-program", 127, "not found"),
        ("/no/such/program", 127, "no such file"),
        ("/etc", 126, "permission denied"),
        ("/etc/passwd", 126, "exec format error"),
    ],
)
def test_what_cannot_be_run(person: Person, command: str, code: int, told: str) -> None:
    done = person.run("--", command)
    assert done.exit_code == code, done.stderr
    assert f"cannot run {command}" in done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_line_that_is_too_long(person: Person) -> None:
    done = person.run("--", "echo", *["x" * 120_000] * 10)
    assert (done.exit_code, done.stdout) == (125, "")
    assert "longer than this API server" in done.stderr
    assert not person.pods()


def test_any_image_gets_our_pause(person: Person) -> None:
    # It has no main process but what --image busybox would run: a shell that ends at once.
    done = person.run("--image", person.cluster.images.busybox, "--", "cat", "/proc/1/cmdline")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.split("\0")[:3] == ["/.agtool/pause", "-t", "3600"]


def test_an_image_without_a_shell(person: Person) -> None:
    pause = person.cluster.images.pause
    done = person.run("--image", pause, "--", "/pause", "--version")
    assert (done.exit_code, done.stdout[:8]) == (0, "pause 1.")
    # What starts a command in a pod that is kept is a shell.
    done = person.run("--image", pause, "--keep", "--", "/pause", "--version")
    assert (done.exit_code, "has no shell" in done.stderr) == (127, True)
    terminal = person.terminal("--image", pause)
    terminal.expect("has no shell")
    terminal.expect("--tools")
    assert terminal.wait() == 127


def test_tools_of_another_image(person: Person) -> None:
    images = person.cluster.images
    argv = ("--image", images.pause, "--tools", images.busybox)
    done = person.run(*argv, "--", "sh", "-c", "echo $0; ls -d /pause /bin")
    assert done.stdout.splitlines() == ["sh", "/pause"], done.stderr
    terminal = person.terminal(*argv)
    terminal.expect(r"[$] ")
    terminal.type("exit 5\r")
    assert terminal.wait() == 5


def test_what_is_asked_for(person: Person) -> None:
    argv = ["--env", "COLOUR=sea green", "--label", "team=red", "--cpu", "10m", "--memory", "32Mi"]
    argv += ["--toleration", "dedicated=ci:NoSchedule", "--ttl", "90s", "--user", "1234"]
    argv += ["--serviceaccount", "default", "--image-pull-policy", "IfNotPresent"]
    argv += ["--node-selector", "kubernetes.io/hostname=" + person.cluster.node]
    running = person.start(*argv, "--", "sh", "-c", "echo $COLOUR; id -u; echo up >&2; sleep 60")
    running.wait_for("up")
    pod = person.pod()
    assert pod["metadata"]["labels"]["team"] == "red"
    assert pod["spec"]["activeDeadlineSeconds"] == 90
    assert {"key": "dedicated", "operator": "Equal", "value": "ci", "effect": "NoSchedule"} in (
        pod["spec"]["tolerations"]
    )
    container = pod["spec"]["containers"][0]
    amounts = {"cpu": "10m", "memory": "32Mi"}
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert running.stdout == "sea green\n1234\n"


def test_the_config_map_goes_with_the_pod(person: Person) -> None:
    running = person.start("--", "sh", "-c", "echo up >&2; sleep 60")
    running.wait_for("up")
    name = name_in(running.stderr)
    path = f"/api/v1/namespaces/{person.namespace}/configmaps/{name}"
    (owner,) = person.api.get(path)["metadata"]["ownerReferences"]
    # The same as the pod's, which takes both away.
    assert [owner] == person.pod()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Job", name)


def test_our_own_image_runs_its_own_pause(person: Person) -> None:
    # No image of ours is on the node, and the tests have no registry: what would be sent has to do.
    done = person.run("--image", "registry.example/agilicus/pause:1", "--dry-run")
    assert "ConfigMap" not in done.stdout
    assert "command" not in done.stdout


def test_a_dry_run_sends_nothing_and_can_be_applied(person: Person) -> None:
    done = person.run("--dry-run", env={"KUBECONFIG": "/nonexistent"})
    assert done.exit_code == 0, done.stderr
    assert not person.pods()
    job, config_map, pod = yaml.safe_load_all(done.stdout)
    assert (job["kind"], config_map["kind"], pod["kind"]) == ("Job", "ConfigMap", "Pod")
    space = f"namespaces/{person.namespace}"
    person.api.post(f"/apis/batch/v1/{space}/jobs", job)
    for resource, body in (("configmaps", config_map), ("pods", pod)):
        person.api.post(f"/api/v1/{space}/{resource}", body)


def test_piped_input_and_its_end(person: Person) -> None:
    data = bytes(range(256)) * 4096  # 1 MiB
    done = person.piped(data, "--", "cat")
    assert (done.returncode, done.stdout == data) == (0, True), done.stderr
    assert not person.pods()


def test_no_input_is_no_reason_to_refuse(person: Person) -> None:
    assert person.piped(b"", "--", "echo", "ran").stdout in {b"", b"ran\n"}
    done = person.run("--", "cat")  # from /dev/null
    assert (done.exit_code, done.stdout) == (0, "")


def test_output_is_binary_safe(person: Person) -> None:
    # All bytes, and UTF-8 that is split between frames.
    script = "head -c 3000001 /dev/zero | tr '\\0' '\\377'; head -c 70001 /dev/zero"
    done = person.piped(b"", "--no-stdin", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"\xff" * 3000001 + bytes(70001)


def test_a_reader_that_goes_away(person: Person) -> None:
    words = " ".join(f"'{word}'" for word in person.argv("--", "yes"))
    done = subprocess.run(
        ["bash", "-c", f"{words} </dev/null | head -n 1; exit ${{PIPESTATUS[0]}}"],
        env=clean_environment(person.env),
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stdout) == (141, b"y\n"), done.stderr
    assert not person.pods()
