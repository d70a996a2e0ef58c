"""`edit` in YAML as people write it: lines are added, and all else stays byte for byte."""

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from agtool.ci_nodepool.edit import plan_edit
from agtool.ci_nodepool.files.read import read
from agtool.ci_nodepool.files.text import File
from agtool.ci_nodepool.presets import PRESETS
from agtool.ci_nodepool.runner.placement import CannotPatch

CONFIG = '[[runners]]\n  [runners.kubernetes]\n    image = "a"\n'
GKE = "cloud.google.com/gke-spot"


def block(indent: int) -> str:
    return "".join(f"{' ' * indent}{line}\n" for line in CONFIG.splitlines())


def edited(text: str) -> str:
    file = File("values.yaml", text)
    return plan_edit(file, read([file], "default"), PRESETS["gke-spot"].pool, ()).after


FORMS = {
    "an indicator of the indentation": "runners:\n  config: |2\n" + block(5) + "  name: x\n",
    "the indicator and kept ends": "runners:\n  config: |4+\n" + block(6) + "\n\n  name: x\n",
    "an indicator within a block": "apiVersion: helm.cattle.io/v1\nkind: HelmChart\n"
    "metadata: {name: r}\nspec:\n  chart: gitlab-runner\n  valuesContent: |\n    runners:\n"
    "      config: |2\n" + block(9) + "    x: 1\n",
    "stripped ends": "runners:\n  config: |-\n" + block(4) + "\nother: 1\n",
    "an anchor, a tag, a comment": "runners:\n  config: &a !!str |- # c\n" + block(4) + "# end\n",
    "line ends of Windows": ("runners:\n  config: |\n" + block(4) + "  name: x\n").replace(
        "\n", "\r\n"
    ),
    "a byte order mark": "\ufeffrunners:\n  config: |\n" + block(4) + "  name: x\n",
    "tabs in the text": "runners:\n  config: |\n" + block(4).replace("    image", "    \timage"),
    "comments after it": "runners:\n  config: |\n" + block(4) + "  # c\n# d\n\nother: 1\n",
    "several documents": "# head\n---\na: 1\n---\n# none\n---\nrunners:\n  config: |\n"
    + block(4)
    + "...\n---\nb: 2\n",
    "a directive": "%YAML 1.1\n---\nrunners:\n  config: |\n" + block(4),
    "Go template lines": "runners:\n  config: |\n" + block(4) + "    {{- if .Values.x }}\n"
    "      # y\n    {{- end }}\n",
    "a merged mapping": "base: &b\n  runners:\n    config: |\n"
    + block(6)
    + "gitlab-runner:\n  <<: *b\n  b: 2\n",
    "keys in quotes": "\"runners\":\n  'config': |\n" + block(4),
    "keys with a question mark": "? runners\n: ? config\n  : |\n" + block(4),
    "empty lines first": "runners:\n  config: |\n\n\n" + block(4) + "  name: x\n",
    "a space at the end": "runners:\n  config: |\n" + block(4).rstrip() + " \nz: 1\n",
    "spaces at the end of the text": "runners:\n  config: |\n" + block(4).rstrip() + " \t ",
    "spaces at the end of Windows' lines": "runners:\r\n  config: |\r\n"
    + block(4).replace("\n", " \r\n")
    + "\r\n   \r\n  z: 1\r\n",
    "spaces in empty lines": "runners:\n  config: |\n  \n"
    + block(4)
    + "    \n      \n    # c\n  \n   \nz: 1\n",
    "no last line end": "runners:\n  config: |\n" + block(4).rstrip(),
    "a byte order mark and no last line end": "\ufeffrunners:\n  config: |\n" + block(4).rstrip(),
    "characters beyond 16 bits": "# \U0001f600\nrunners:\n  config: |\n" + block(4),
}


@pytest.mark.parametrize("form", FORMS)
def test_only_lines_are_added(form: str) -> None:
    text = FORMS[form]
    after = edited(text)
    lines = iter(after.split("\n"))
    # Each line of before is there, in its order.
    assert all(line in lines for line in text.split("\n"))
    assert len(after.split("\n")) == len(text.split("\n")) + 4
    # No document but the one has changed, and it is as wanted by now.
    assert len(list(yaml.safe_load_all(after))) == len(list(yaml.safe_load_all(text)))
    assert edited(after) == after


@pytest.mark.parametrize(
    "written",
    [
        '"[[runners]]\\n\\\n    \\  [runners.kubernetes]\\n"   # c',
        "'[[runners]]\n\n    [runners.kubernetes]\n\n    '",
        ">-\n    [[runners]]\n\n    [runners.kubernetes]\n",
    ],
)
def test_other_strings_are_written_anew(written: str) -> None:
    after = edited(f"# before\nrunners:\n  config: {written.rstrip()}\n  name: x # after\n")
    assert after.startswith("# before\nrunners:\n  config: ")
    assert after.endswith("\n  name: x # after\n")
    assert GKE in yaml.safe_load(after)["runners"]["config"]


@pytest.mark.parametrize("name", ["config.toml", "stdin"])
def test_toml_with_a_byte_order_mark(name: str) -> None:
    """As gitlab-runner reads it, and as an editor on Windows writes it."""
    file = File(name, "\ufeff" + CONFIG)
    after = plan_edit(file, read([file], "default"), PRESETS["gke-spot"].pool, ()).after
    assert after.startswith("\ufeff" + CONFIG)
    assert GKE in after


@pytest.mark.parametrize(
    "text",
    [
        "x: &c |\n" + block(2) + "runners:\n  config: *c\n",
        "runners:\n  config: &c |\n" + block(4) + "copy: *c\n",
    ],
)
def test_a_text_of_several_places_is_refused(text: str) -> None:
    with pytest.raises(CannotPatch, match="anchors"):
        edited(text)
