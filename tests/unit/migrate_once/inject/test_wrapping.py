# ruff: noqa: E501  # a case stays in one line
"""An init container that is wrapped, and back to the byte; nobody else's is touched."""

from __future__ import annotations

import json

import pytest
import yaml  # type: ignore[import-untyped]

from tests.unit.migrate_once.inject.conftest import SHOP, Inject, spec_of

WITH_COMMAND = "          command: [rake]\n"
OWN = ["/opt/agtool-bin/agtool/agtool", "migrate-once"]
BY_HAND = SHOP.replace("[rake]", '["/opt/agtool-bin/agtool/agtool","migrate-once","--key=abc","--","rails"]')  # fmt: skip


@pytest.mark.parametrize("method", ["copy", "image-volume"])
@pytest.mark.parametrize(
    "command", ["", "command: []", "command:", "command: null  # of the image"]
)
@pytest.mark.parametrize("arguments", ['          args: ["db:migrate"]\n', ""])
@pytest.mark.parametrize("form", ["block", "flow", "json"])
def test_the_image_says_what_runs(
    inject: Inject, method: str, command: str, arguments: str, form: str
) -> None:
    text = SHOP.replace('          args: ["db:migrate"]\n', arguments).replace(
        WITH_COMMAND, f"          {command}\n" if command else ""
    )
    if form != "block":
        whole = yaml.safe_load(text)
        pods = whole["spec"]["template"]["spec"]
        inits = json.dumps(pods.pop("initContainers"))
        text = yaml.safe_dump(whole).replace("    spec:\n", f"    spec:\n      initContainers: {inits}\n")  # fmt: skip
        text = text if form == "flow" else json.dumps(yaml.safe_load(text))
    done = inject(f"--method={method}", "--init-container=migrate", "--command=a rails", stdin=text)
    (found,) = [e for e in spec_of(done)["initContainers"] if e["name"] == "migrate"]
    assert found["command"][:2] == OWN
    assert found["command"][-3:] == ["--", "a", "rails"]
    assert found.get("args") == (["db:migrate"] if arguments else None)
    assert inject("--remove", stdin=done.stdout).stdout == text.encode()


@pytest.mark.parametrize("method", ["copy", "image-volume"])
@pytest.mark.parametrize("value", ["[]", "", "null"])
@pytest.mark.parametrize("field", ["env", "volumeMounts", "command"])
def test_what_is_empty_comes_back(inject: Inject, field: str, value: str, method: str) -> None:
    text = SHOP.replace("          env: [{name: DATABASE_URL, value: x}]\n", "")
    text = text.replace(WITH_COMMAND, "" if field == "command" else WITH_COMMAND)
    line = f"          args: []\n          {field}: {value}\n"
    text = text.replace('          args: ["db:migrate"]\n', line)
    said = ["--command=run"] if field == "command" else []
    done = inject(
        f"--method={method}", "--init-container=migrate", "--engine=sqlite", *said, stdin=text
    )
    assert done.exit_code == 0, done.stderr
    assert inject("--remove", stdin=done.stdout).stdout == text.encode()
    # Others may put containers in front of it.
    more = done.stdout.replace(
        b"initContainers:\n", b"initContainers:\n        - {name: vault, image: v:1, env: []}\n"
    )
    expected = text.replace(
        "initContainers:\n", "initContainers:\n        - {name: vault, image: v:1, env: []}\n"
    )
    assert inject("--remove", stdin=more).stdout == expected.encode()


def test_what_was_put_in_by_hand_is_not_lost(inject: Inject) -> None:
    """Where a list was replaced, its text is put back only if nobody has changed it since."""
    text = SHOP.replace("      volumes:\n        - name: data\n          emptyDir: {}\n", "      volumes:\n")  # fmt: skip
    made = inject("--", "migrate", stdin=text).stdout.decode()
    assert '{"name": "agtool-migrate-once", "emptyDir": {}}]' in made
    changed = made.replace('"emptyDir": {}}]', '"emptyDir": {}}, {name: mine, emptyDir: {}}]')
    done = inject("--remove", stdin=changed)
    assert spec_of(done)["volumes"] == [{"name": "mine", "emptyDir": {}}]


def test_words_by_hand_stay(inject: Inject) -> None:
    assert inject("--remove", stdin=BY_HAND).stdout == BY_HAND.encode()
    done = inject("--", "migrate", stdin=BY_HAND)
    (found,) = [e for e in spec_of(done)["initContainers"] if e["name"] == "migrate"]
    assert found["command"] == [*OWN, "--key=abc", "--", "rails"]
    assert inject("--remove", stdin=done.stdout).stdout == BY_HAND.encode()
    again = inject("--init-container=migrate", stdin=BY_HAND)
    assert (again.exit_code, again.stdout) == (3, b"")
    assert "runs agtool already" in again.stderr


def test_one_that_is_wrapped_is_not_unwrapped_for_another(inject: Inject) -> None:
    text = BY_HAND.replace("      containers:", "        - {name: seed, image: 's:1', command: [seed], env: [{name: DATABASE_URL, value: x}]}\n      containers:")  # fmt: skip
    done = inject("--init-container=seed", stdin=text)
    assert done.exit_code == 0, done.stderr
    for arguments in (["--init-container=migrate"], ["--", "migrate"]):
        other = inject(*arguments, stdin=done.stdout)
        assert (other.exit_code, other.stdout) == (3, b"")
        assert "its init container seed is wrapped already" in other.stderr
        assert "--remove; or change its options, with --init-container seed" in other.stderr
    assert inject("--remove", stdin=done.stdout).stdout == text.encode()


@pytest.mark.parametrize("arguments", [["--remove"], ["--", "migrate"]])
def test_a_volume_stays_that_somebody_needs(inject: Inject, arguments: list[str]) -> None:
    """Without the annotation nobody knows what the container was."""
    made = inject("--init-container=migrate", stdin=SHOP).stdout.decode()
    lost = "".join(line for line in made.splitlines(True) if "agtool/migrate-once:" not in line)
    lost = lost.replace("  annotations:\n", "")
    done = inject(*arguments, stdin=lost)
    assert (done.exit_code, done.stdout) == (3, b"")
    assert "migrate uses the volume agtool-migrate-once, which would be taken out" in done.stderr
    assert "out of its command by hand" in done.stderr


@pytest.mark.parametrize("value", ["x", '\'{"replaced": []}\'', '\'{"wrapped": {"container": "gone", "command": null, "env": true}}\'', "null"])  # fmt: skip
def test_an_annotation_that_is_left_over(inject: Inject, value: str) -> None:
    text = SHOP.replace("name: shop\nspec", f"name: shop\n  annotations:\n    agtool/migrate-once: {value}\nspec")  # fmt: skip
    assert text != SHOP
    assert inject("--remove", stdin=text).stdout == SHOP.encode()
    assert inject("--", "migrate", stdin=text).stdout == inject("--", "migrate", stdin=SHOP).stdout
