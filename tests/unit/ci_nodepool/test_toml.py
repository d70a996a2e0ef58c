"""The statements of a runner's TOML, however its values are written."""

from typing import Any

import pytest

from agtool.ci_nodepool.runner import toml

TEXT = """\
# [none]
[[runners]] # ] }
  name = "a ] # b"
  pre_build_script = \"\"\"
    echo "[x]" # \\\"\"\"
[y]\"\"\"\"\"
  post_build_script = '''
    z = 1\\''''
  empty = \"\"\"\"\"\"
  none = ''''''
  environment = [ # ]
    "a=[",
    'b="',
  ]
  ["run]ners".'a#b'.c]
  d."e=" = { f = "}" }

last = ''"""
PATHS = [
    *((), ("runners",), ("runners", "name"), ("runners", "pre_build_script")),
    *(("runners", "post_build_script"), ("runners", "empty"), ("runners", "none")),
    *(("runners", "environment"), ("run]ners", "a#b", "c")),
    *(("run]ners", "a#b", "c", "d", "e="), (), ("run]ners", "a#b", "c", "last")),
]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_value_of_several_lines_is_one_statement(newline: str, mark: str) -> None:
    text = mark + TEXT.replace("\n", newline)
    toml.load(text)  # it is valid
    found = toml.statements_of(text)
    assert "".join(each.text for each in found) == text
    assert [each.table if each.opens else each.path for each in found] == PATHS
    assert all(text[each.offset : each.end] == each.text for each in found)


def test_each_character_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tomllib: Any = vars(toml)["tomllib"]  # or tomli, as the version of Python has it
    of_toml, parsed = tomllib.loads, []

    def loads(text: str) -> Any:
        parsed.append(text)
        return of_toml(text)

    monkeypatch.setattr(tomllib, "loads", loads)
    script, entries = "echo [ # step\n" * 400, "'a=b',\n" * 400
    text = f'[[runners]]\npre_build_script = """\n{script}"""\nenvironment = [\n{entries}]\n'
    assert len(toml.statements_of(text)) == 3
    assert "".join(parsed) == text
