"""The README's example of debug, pasted."""

import subprocess
from pathlib import Path

from tests.e2e.debug.conftest import Person
from tests.readme import examples, paste


def test_a_command_and_nothing_left(person: Person, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(person.kubeconfig.read_bytes())
    kubectl = [str(person.cluster.kubectl), "--kubeconfig", str(kubeconfig)]
    here = ["config", "set-context", "--current", f"--namespace={person.namespace}"]
    subprocess.run([*kubectl, *here], check=True, capture_output=True)
    # The image of the README's default comes from a registry, which tests have none of.
    env = {**person.env, "KUBECONFIG": str(kubeconfig)}
    done = paste(examples()["debug"], tmp_path, env)
    assert done.returncode == 0, done.stderr
    assert "uid=" in done.stdout
    person.nothing_is_left()
