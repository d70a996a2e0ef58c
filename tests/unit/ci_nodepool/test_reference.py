"""The reference of ci-nodepool says what --help says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agtool.ci_nodepool.presets import PRESETS
from agtool.ci_nodepool.runner import Runner
from agtool.ci_nodepool.runner_config import Placement
from agtool.ci_nodepool.runner_patch import plan_patch
from agtool.ci_nodepool.runner_run import Result
from agtool.ci_nodepool.runner_show import patch_data
from tests.gitlab_runner import Chart

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs/reference/ci-nodepool.md").read_text()


def help_text(*command: str) -> str:
    """Return what `agtool ci-nodepool COMMAND --help` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "agtool", "ci-nodepool", *command, "--help"],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def section(heading: str) -> str:
    """The text below a heading of the second level."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, heads included."""
    lines = [li for li in text.splitlines() if li.startswith("|") and not li.startswith("|-")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


COMMANDS = re.findall(r"^  ([a-z-]+)", help_text().partition("\nCommands:\n")[2], re.MULTILINE)


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if re.search(rf"^## {c}$", REFERENCE, re.MULTILINE)]
)
def test_the_reference_has_the_options_of_help(command: str) -> None:
    listed = help_text(command).partition("\nOptions:\n")[2]
    of_help = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", listed, re.MULTILINE)) - {"--help"}
    told = {row[0] for row in rows(section(command)) if row[0].startswith("`--")}
    assert {re.match(r"`(--[a-z-]+)", cell)[1] for cell in told} == of_help  # type: ignore[index]


def test_the_reference_has_the_presets() -> None:
    told = {row[0].strip("`"): row[1:] for row in rows(section("Presets"))[1:]}
    assert list(told) == list(PRESETS)
    for name, (label, built_in) in told.items():
        assert label == f"`{PRESETS[name].label}`"
        assert bool(built_in) is PRESETS[name].built_in
        assert ("any value" in built_in) is PRESETS[name].any_value


def test_the_example_of_patch_runner_has_the_shape_of_the_real_thing() -> None:
    chart = Chart("0.86.0")
    config_map = chart.config_map
    config_map["metadata"]["resourceVersion"] = "1"
    wanted = Placement({"a": "b"}, {"a=b": "NoSchedule"})
    plan = plan_patch(Runner(chart.deployment, config_map), wanted)
    real = patch_data(Result(plan, wanted, (), dry_run=True))
    (example,) = re.findall(
        r"^```json\n(.*?)^```$", section("patch-runner"), re.MULTILINE | re.DOTALL
    )
    told = json.loads(example)
    assert {key: type(value) for key, value in told.items()} == {
        key: type(value) for key, value in real.items()
    }
    assert list(told) == list(real)
