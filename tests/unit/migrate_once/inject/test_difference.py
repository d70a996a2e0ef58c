# ruff: noqa: E501  # a case stays in one line
"""A diff shows what changes, and no value that may be secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from agtool.migrate_once.inject.difference import difference
from tests.unit.migrate_once.inject.conftest import SERVICE, SHOP, Inject

VARIABLE = "            - name: DB_PASSWORD\n              value: hunter2\n"
VARIABLES = [
    "            - name: PG_CONNECTION_STRING\n              value: hunter2\n",
    "            - name: DB_PWD\n              value: 'hunter2'\n",
    '            - name: MONGO\n              value: "mongodb://u:hunter2@h"\n',
    "            - name: my.password\n              value: hunter2 # hunter\n",
    "            - value: hunter2\n              name: PASSWORD\n",
    "            - value: hunter2\n              # which\n              name: X\n",
    "            - name: CONFIG\n              value: |\n                a: 1\n                password: hunter2\n\n                b: 2\n",
    "            - name: CONFIG\n              value: >-\n                a\n                hunter2\n",
    "            - name: CONFIG\n              value: 'a\n                hunter2'\n",
    "            - name: CONFIG\n              value: a\n                hunter2\n",
    "            - {name: X, value: hunter2}\n",
    "            - {value: 'hunter2, it''s', name: X}\n",
    '            - {"name": "X", "value": "hunter2\\" }"}\n',
    "            - ? name\n              : X\n              ? value\n              : hunter2\n",
    "            - name: X\n              value: &x hunter2\n            - name: Y\n              value: *x\n",
    "            - name: X\n              value: 20022002\n",
]  # fmt: skip


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("form", ["diff", "json", "in-place", "remove"])
def test_no_value_of_a_variable_is_shown(
    inject: Inject, tmp_path: Path, variable: str, form: str
) -> None:
    text = SHOP.replace(VARIABLE, variable)
    assert yaml.safe_load(text) != yaml.safe_load(SHOP)
    made = inject("--", "migrate", stdin=text)
    assert made.exit_code == 0, made.stderr
    assert b"2002" in made.stdout or made.stdout.count(b"hunter2") > 1
    file = tmp_path / "shop.yaml"
    file.write_text(text)
    arguments = {"diff": ["-o", "diff"], "json": ["-o", "json"], "in-place": ["--in-place", "-o", "diff"]}  # fmt: skip
    if form == "remove":
        file.write_bytes(made.stdout)
        done = inject(file, "--remove", "-o", "diff")
    else:
        done = inject(file, *arguments[form], "--", "migrate")
    assert done.exit_code == 0, done.stderr
    shown = done.stdout.decode()
    if form == "json":
        shown = json.loads(shown)["data"]["diff"]
    assert "hunter2" not in shown
    assert "2002" not in shown
    assert "value: ..." in shown or '"value": ...' in shown or ": ..." in shown
    assert "agtool-migrate-once" in shown


def test_of_json_in_one_line(inject: Inject) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "aHVudGVy"}, "stringData": {"b": "hunter2"}}  # fmt: skip
    shop = yaml.safe_load(SHOP)
    shop["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(shop)
    }
    items = [secret, yaml.safe_load(SERVICE), shop]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = inject("-o", "diff", "--", "migrate", stdin=text)
    assert done.exit_code == 0, done.stderr
    shown = done.stdout.decode()
    assert "hunter" not in shown
    assert "aHVudGVy" not in shown
    assert '"name": "DB_PASSWORD", "value": ...}' in shown


@pytest.mark.parametrize(
    "words",
    [
        "[rake, 'postgres://u:hunter2@h/db']",
        "[rake, --db-password=hunter2]",
        "[rake, --password, hunter2]",
        "[rake, --spring.datasource.password, hunter2]",
        "[rake, --db-pass=hunter2]",
        "[rake, mysql, 'u:hunter2@tcp(h:3306)/db']",
        """[rake, '{"password": "hunter2"}']""",
        "[rake, 'Host=h;Password = hunter2']",
        "[sh, -c, 'liquibase --password hunter2 update']",
        "[sh, -c, 'PGPASSWORD=hunter2 rake']",
        "\n          - sh\n          - -c\n          - |\n            export API_TOKEN=hunter2\n            rake",
    ],
)
def test_passwords_of_a_command(inject: Inject, words: str) -> None:
    text = SHOP.replace("command: [rake]", f"command: {words}")
    assert text != SHOP
    done = inject("-o", "diff", "--init-container=migrate", "--password-file=/x", stdin=text)
    assert done.exit_code == 0, done.stderr
    shown = done.stdout.decode()
    assert "hunter2" not in shown
    assert "--password-file=/x" in shown
    assert "..." in shown


def test_other_words_of_a_command_are_shown(inject: Inject) -> None:
    words = "--token-ttl=5 --password-file=/run/x --auth-token --hostname h:80 https://h:80/a"
    text = SHOP.replace("command: [rake]", f"command: [{', '.join(words.split())}]")
    shown = inject("-o", "diff", "--init-container=migrate", stdin=text).stdout.decode()
    assert all(shown.count(word) > 1 for word in words.split() if word != "--hostname")


def test_a_secret_beside_it(inject: Inject) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: hunter2\n"
    metadata = "metadata:\n  name: shop\n"
    text = secret + "---\n" + metadata + SHOP.replace(metadata, "")
    shown = inject("-o", "diff", "--init-container=migrate", stdin=text).stdout.decode()
    assert "   a: ...\n" in shown
    assert "hunter2" not in shown


def test_its_lines_have_their_numbers() -> None:
    before = f"{SERVICE}---\n{SHOP}"
    after = before.replace("  name: shop\nspec", "  name: shop\n  labels: {a: b}\nspec")
    lines = list(difference(before, after, "x"))
    assert lines[:4] == ["--- x", "+++ x (injected)", "@@ -7,6 +7,7 @@", " kind: Deployment"]
    assert [line for line in lines if line.startswith("+")][1:] == ["+  labels: {a: b}"]


def test_other_values_are_shown() -> None:
    before = "tolerations:\n- key: a\n  value: b\nx: 1\n"
    assert "   value: b" in list(difference(before, before + "y: 2\n", "x"))
