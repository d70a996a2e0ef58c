"""Programs of another image: in a new pod, and inside a container that has none."""

from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person
from tests.e2e.debug.test_admission import policy
from tests.e2e.debug.test_beside import make_pod
from tests.e2e.debug.test_profiles import HARDENED


def test_tools_are_a_volume(person: Person) -> None:
    images = person.cluster.images
    argv = ("--image", images.pause, "--tools", images.busybox)
    done = person.run(*argv, "--", "sh", "-c", "ls /.agtool-tools; ls -d /pause; ls -d /bin")
    assert done.stdout.splitlines() == ["bin", "etc", "pause", "/pause"], done.stderr
    spec = person.run(*argv, "--dry-run").stdout
    assert "reference: " + images.busybox in spec


def test_tools_of_an_image_without_a_shell(person: Person) -> None:
    # An init container could not copy it: there is no cp in it, and no sh.
    images = person.cluster.images
    done = person.run("--tools", images.pause, "--", "sh", "-c", "pause --version")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("pause "), done.stdout
    done = person.run("--image", images.pause, "--tools", images.pause, "--", "pause", "--version")
    assert done.exit_code == 127, done.stdout
    assert "cannot run pause" in done.stderr


def test_inside_a_hardened_container_from_scratch(person: Person) -> None:
    images = person.cluster.images
    web = {"name": "web", "image": images.pause, "securityContext": HARDENED}
    make_pod(person, {"containers": [web]})
    argv = ("--target", "pod/web-0", "--tools", images.busybox)
    script = "id -u; ls -d /pause; ls -d /bin; echo $PATH; tr '\\0' ' ' </proc/1/cmdline; exit 3"
    done = person.run(*argv, "--", "sh", "-c", script)
    assert done.exit_code == 3, done.stderr
    user, file, found, main = done.stdout.splitlines()
    assert (user, file, main.strip()) == ("1234", "/pause", "/pause")
    assert found.rpartition(":")[2].startswith("/proc/")
    assert "This runs in container web itself" in done.stderr
    terminal = person.terminal(*argv)
    terminal.expect(r"[$] ")
    terminal.type("ls /pause; exit 5\r")
    assert terminal.wait() == 5
    running = person.start(*argv, "--", "sh", "-c", "echo up >&2; sleep 600")
    running.wait_for("up\n")
    running.kill()
    path = f"/api/v1/namespaces/{person.namespace}/pods/web-0"

    def over() -> bool:
        statuses = person.api.get(path)["status"]["ephemeralContainerStatuses"]
        return all("terminated" in one["state"] for one in statuses)

    wait_until(over, "what a killed agtool left beside the container has ended")
    states = person.api.get(path)["status"]["containerStatuses"]
    assert states[0]["restartCount"] == 0


def test_where_no_volume_may_be_an_image(person: Person) -> None:
    # An API server before 1.35 drops the field and then misses the volume's type: here a policy of
    # the tests says so. Another policy may forbid them in its own words.
    images = person.cluster.images
    argv = ("--image", images.pause, "--tools", images.busybox)
    none = "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.image))"
    none = f"object.metadata.name != 'would-be' && ({none})"  # `policy` waits for a refusal
    for words in ("must specify a volume type", "no images as volumes here"):
        with policy(person, none, words):
            done = person.run(*argv, "--", "sh", "-c", "ls /.agtool-tools; ls -d /pause")
            assert done.stdout.splitlines() == ["bin", "/pause"], done.stderr
