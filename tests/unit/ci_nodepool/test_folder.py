"""`check FOLDER` beside files that other programs keep there."""

import os
from pathlib import Path

import pytest

from agtool.ci_nodepool.edit import plan_edit
from agtool.ci_nodepool.files.load import load
from agtool.ci_nodepool.files.read import read
from agtool.ci_nodepool.files.text import File
from agtool.ci_nodepool.presets import PRESETS
from agtool.core.errors import ConfigurationError

VALUES = 'runners:\n  config: |\n    [[runners]]\n      [runners.kubernetes]\n        image = "a"\n'


def runners(folder: Path) -> list[str]:
    return [str(Path(each.file.name).relative_to(folder)) for each in read(load([str(folder)]), "")]


FOREIGN = {
    "pipeline.yaml": "# gitlab\ntest:\n  script:\n    - !reference [.setup, script]\n    - make\n",
    "secrets.yaml": "gitlab:\n  token: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    3132\n",
    "stack.yml": "runner:\n  name: !Sub {a: [1, b], c: d}\n!key k: !!python/name:x.y\n",
    "equals.yaml": "gitlab: =\n",
    "templates/a.yaml": "{{- if .Values.gitlab }}\na: b\n{{- end }}\n",
    "pyproject.toml": '[project]\nname = "a"\nurls = {a = "https://gitlab.example"}\n',
    "cut.toml": "# gitlab\na = [\n",
    ".hidden.yaml": "gitlab: [\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_has_nothing_to_do_with_runners_is_left_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "values.yaml").write_text(VALUES)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(FOREIGN[name])
    assert runners(tmp_path) == ["values.yaml"]


def test_what_is_not_a_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(VALUES)
    (tmp_path / "link.yaml").symlink_to("values.yaml")
    (tmp_path / ".#values.yaml").symlink_to("somebody@host.4711:1700000000")  # the lock of Emacs
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    assert runners(tmp_path) == ["link.yaml", "values.yaml"]


def test_a_folder_that_may_only_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/values.yaml").write_text(VALUES)
    (tmp_path / "sub").chmod(0o644)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # whoever may not enter the folders above it is there already
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            list(load(["."]))
        except (OSError, ConfigurationError) as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    (tmp_path / "sub").chmod(0o755)
    said = os.read(reader, 1000).decode()
    assert said.startswith("ConfigurationError"), said
    assert "cannot read sub/values.yaml: Permission denied" in said


@pytest.mark.parametrize(("text", "hint"), [("gitlab: [\n", "Correct it"), ("{{", "of a chart")])
def test_what_is_not_yaml_is_named(tmp_path: Path, text: str, hint: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    (tmp_path / "values.yaml").write_text(VALUES)
    with pytest.raises(ConfigurationError, match="neither YAML nor TOML") as caught:
        read(load([str(file), str(tmp_path / "values.yaml")]), "")
    assert str(file) in caught.value.message
    assert caught.value.subject == str(file)
    assert hint in caught.value.hint.replace("Of a", "of a")


def test_an_unknown_tag_beside_a_configuration_stays() -> None:
    text = f"{VALUES}token: !vault |\n  31\nmore: !reference [a, b]\n"
    file = File("values.yaml", text)
    edited = plan_edit(file, read([file], ""), PRESETS["gke-spot"].pool, ())
    assert list(edited.added) == ["gitlab-runner"]
    assert edited.after.endswith("token: !vault |\n  31\nmore: !reference [a, b]\n")


def test_a_configuration_with_an_unknown_tag_is_nobodys_toml() -> None:
    file = File("values.yaml", VALUES.replace("config: |", "config: !vault |"))
    assert read([file], "") == []
