"""`check` of a repository costs what reading it costs: each file is parsed once."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtool.ci_nodepool.check.judge import check
from agtool.ci_nodepool.check.pools import of_label
from agtool.ci_nodepool.files import text as files_text
from agtool.ci_nodepool.files.load import load
from agtool.ci_nodepool.files.read import read
from agtool.ci_nodepool.presets import PRESETS
from agtool.ci_nodepool.runner import toml
from agtool.core import yamltext

CASES = Path(__file__).parents[2] / "cases" / "ci_nodepool"


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Give how often each text was parsed, YAML or TOML."""
    found: Counter[str] = Counter()
    of_yaml = yamltext.parsed
    tomllib: Any = vars(toml)["tomllib"]  # or tomli, as the version of Python has it
    of_toml: Callable[[str], dict[str, Any]] = tomllib.loads

    def parsed(text: str) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
        found[text] += 1
        return of_yaml(text)

    def loads(text: str) -> dict[str, Any]:
        found[text] += 1
        return of_toml(text)

    monkeypatch.setattr(files_text, "parsed", parsed)
    monkeypatch.setattr(tomllib, "loads", loads)
    return found


@pytest.mark.parametrize(
    "name", ["helmrelease.yaml", "umbrella-values.yaml", "kept-by-hand.yaml", "preferred.toml"]
)
def test_no_text_is_parsed_again_for_the_place_of_a_line(
    parses: Counter[str], tmp_path: Path, name: str
) -> None:
    """In a folder, where a file with Go template text is tried before it counts as ours."""
    text = (CASES / name).read_text()
    (tmp_path / name).write_text(text)
    pool = PRESETS["karpenter-spot"].pool
    checked = check(read(load([str(tmp_path)]), "default"), of_label(pool, ()))
    assert checked.runners
    assert parses[text] == (1 if name.endswith(".yaml") else 2)
    # A configuration is read twice at most: as its runner does, and for the line to add to it.
    assert max(n for each, n in parses.items() if "[[runners]]" in each) <= 2
