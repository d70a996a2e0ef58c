"""Plans over a runner's ConfigMap: what the annotation remembers, and what undo makes of it."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from agtool.ci_nodepool.model import RECORD
from agtool.ci_nodepool.runner.edit import read
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.placement import Tables
from agtool.ci_nodepool.runner.plan import RunnerPlan, plan_patch, plan_undo
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart

ONE = Tables({"one": "1"}, {"one=1": "NoSchedule"})
TWO = Tables({"two": "2"}, {"two=2": "NoSchedule"})
KEY = "config.template.toml"


def installed() -> Runner:
    chart = Chart("0.86.0")
    return Runner(chart.deployment, copy.deepcopy(chart.config_map))


def carried_out(plan: RunnerPlan) -> Runner:
    """The runner after a plan, as a JSON merge patch changes its ConfigMap."""
    config_map = copy.deepcopy(plan.runner.config_map)
    config_map["metadata"].setdefault("resourceVersion", "1")
    annotations = config_map["metadata"].setdefault("annotations", {})
    annotations[RECORD] = plan.record
    if not plan.record:
        del annotations[RECORD]
    config_map["data"][plan.runner.key] = plan.after
    return Runner(plan.runner.deployment, config_map)


def text_of(runner: Runner) -> str:
    text: str = runner.config_map["data"][KEY]
    return text


def test_the_same_again_is_no_change() -> None:
    once = carried_out(plan_patch(installed(), ONE))
    assert not plan_patch(once, ONE)


def test_undo_of_two_changes() -> None:
    both = carried_out(plan_patch(carried_out(plan_patch(installed(), ONE)), TWO))
    assert set(read(text_of(both)).node_selector) == {"one", "two"}
    plan = plan_undo(both)
    assert plan.after == DEFAULT_TEMPLATE
    assert set(plan.added.node_selector) == {"one", "two"}
    assert not carried_out(plan).record


def test_what_helm_took_out_is_forgotten() -> None:
    runner = installed()
    for _ in range(3):
        runner = carried_out(plan_patch(runner, ONE))
        assert len(json.loads(runner.record)["template"]) == 1
        # Helm puts back the data, and leaves an annotation that it does not know.
        runner.config_map["data"][KEY] = DEFAULT_TEMPLATE
    assert plan_undo(runner).after == DEFAULT_TEMPLATE


def test_an_annotation_without_what_it_tells_of_goes() -> None:
    runner = carried_out(plan_patch(installed(), ONE))
    runner.config_map["data"][KEY] = DEFAULT_TEMPLATE
    plan = plan_undo(runner)
    assert plan
    assert plan.before == plan.after
    assert not carried_out(plan).record


@given(st.text())
def test_whatever_stands_in_the_annotation(text: str) -> None:
    runner = installed()
    runner.config_map["metadata"]["annotations"] = {RECORD: text}
    assert plan_undo(runner).after == DEFAULT_TEMPLATE
    assert read(plan_patch(runner, ONE).after) == ONE
