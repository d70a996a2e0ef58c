"""Reading a runner of any version of the chart: where its jobs go, and what cannot be changed."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agtool.ci_nodepool.model import RECORD, Toleration
from agtool.ci_nodepool.runner.find import choose
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.model import Runner, Source
from agtool.ci_nodepool.runner.placement import CannotPatch, Tables
from agtool.ci_nodepool.runner.plan import plan_patch, time_to_end
from agtool.ci_nodepool.runner.read import jobs as all_jobs
from agtool.ci_nodepool.runner.settings import check_overrides, overrides, template
from agtool.ci_nodepool.status.judge import faults
from agtool.core.errors import UsageError
from agtool.core.kube.errors import NotFoundError
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart, operator_deployment

KEY = "cloud.google.com/gke-preemptible"
WANTED = Tables({KEY: "true"}, {f"{KEY}=true": "NoSchedule"})


def jobs(there: Runner) -> Jobs:
    """Return the jobs of a runner that has one [[runners]]."""
    (own,) = all_jobs(there)
    return own


def runner(chart: Chart) -> Runner:
    """Return the runner of a release, as if read from the API."""
    config_map = copy.deepcopy(chart.config_map)
    config_map["metadata"]["resourceVersion"] = "1"
    return Runner(chart.deployment, config_map)


@pytest.mark.parametrize("version", ["0.26.0", "0.29.0", "0.41.0", "0.86.0"])
def test_charts_with_a_template(version: str) -> None:
    plan = plan_patch(runner(Chart(version)), WANTED)
    assert plan.before == DEFAULT_TEMPLATE
    assert plan.added == WANTED
    assert set(plan.patch()["data"]) == {"config.template.toml"}


def test_jobs_of_a_template() -> None:
    where = jobs(
        runner(Chart("0.86.0", template=plan_patch(runner(Chart("0.86.0")), WANTED).after))
    )
    assert where.runner == "gitlab/ci-gitlab-runner"
    assert where.selector == {KEY: "true"}
    assert where.tolerations == (Toleration(KEY, "true", "NoSchedule"),)
    assert not where.doubts


# -- what cannot be patched ----------------------------------------------------------------------


def test_a_variable_whose_value_is_not_seen() -> None:
    there = runner(Chart("0.86.0"))
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    variable = {"name": "KUBERNETES_NODE_SELECTOR", "valueFrom": source}
    there.pod["containers"][0]["env"].append(variable)
    with pytest.raises(CannotPatch, match="cannot be seen"):
        plan_patch(there, WANTED)
    assert "cannot be seen" in jobs(there).doubts[0]


def filled_from(*sources: Source) -> Runner:
    """Return a runner whose environment these fill."""
    return replace(runner(Chart("0.86.0")), sources=sources)


def test_a_variable_of_env_from_wins_over_the_template() -> None:
    there = filled_from(
        Source("ConfigMap first", {"KUBERNETES_NODE_SELECTOR": "pool:first"}),
        Source("ConfigMap second", {"KUBERNETES_NODE_SELECTOR": "pool:second"}),
    )
    with pytest.raises(CannotPatch, match="is pool:second") as refusal:
        plan_patch(there, WANTED)
    assert "ConfigMap second" in refusal.value.hint
    assert jobs(there).selector == {"pool": "second"}
    # `env` wins over it.
    own = {"name": "KUBERNETES_NODE_SELECTOR", "value": f"{KEY}:true"}
    there.pod["containers"][0]["env"].append(own)
    assert check_overrides(there, WANTED) == Tables({}, WANTED.node_tolerations)


def test_a_variable_of_a_secret_is_not_seen() -> None:
    there = filled_from(Source("Secret mine", {"KUBERNETES_NODE_TOLERATIONS": None}))
    with pytest.raises(CannotPatch, match="cannot be seen") as refusal:
        plan_patch(there, WANTED)
    assert "Secret mine" in refusal.value.hint
    assert "KUBERNETES_NODE_TOLERATIONS cannot be seen" in jobs(there).doubts[0]


def test_a_source_that_may_not_be_read_is_told() -> None:
    there = filled_from(Source("Secret mine", {}, "jane may not get secrets in namespace gitlab"))
    plan = plan_patch(there, WANTED)
    assert plan.added == WANTED
    (warning,) = plan.warnings
    assert warning.code == "unseen"
    assert "Secret mine" in warning.message
    assert "jane may not get secrets" in warning.message
    assert jobs(there).doubts == (warning.message,)


def test_an_immutable_config_map() -> None:
    there = runner(Chart("0.86.0"))
    there.config_map["immutable"] = True
    with pytest.raises(CannotPatch, match="immutable"):
        plan_patch(there, WANTED)


# -- flags and variables that say the right thing ------------------------------------------------


def test_flags_of_an_old_chart_are_where_its_jobs_go() -> None:
    flags = [
        f'--kubernetes-node-selector "{KEY}":"true"',
        f'--kubernetes-node-tolerations {KEY}=true:"NoSchedule"',
    ]
    there = runner(Chart("0.19.2", flags=flags))
    where = jobs(there)
    assert where.selector == {KEY: "true"}
    assert where.tolerations == (Toleration(KEY, "true", "NoSchedule"),)
    assert not where.doubts


@pytest.mark.parametrize("value", [f"{KEY}:true", f'{{"{KEY}": "true", "x": "y"}}'])
def test_what_the_environment_says_already_is_not_added(value: str) -> None:
    there = runner(Chart("0.86.0", environment={"KUBERNETES_NODE_SELECTOR": value}))
    assert check_overrides(there, WANTED) == Tables({}, WANTED.node_tolerations)
    assert plan_patch(there, WANTED).added == Tables({}, WANTED.node_tolerations)
    assert jobs(there).selector[KEY] == "true"


def test_an_empty_variable_is_none() -> None:
    there = runner(Chart("0.29.0", environment={"KUBERNETES_NODE_SELECTOR": ""}))
    assert overrides(there) == []


# -- warnings ------------------------------------------------------------------------------------


def with_overwrites(chart: Chart) -> None:
    chart.template = DEFAULT_TEMPLATE + '    node_tolerations_overwrite_allowed = ".*"\n'


def with_overwrites_by_variable(chart: Chart) -> None:
    chart.environment = {"KUBERNETES_NODE_SELECTOR_OVERWRITE_ALLOWED": ".*"}


def with_manager_on_pool(chart: Chart) -> None:
    chart.node_selector = {KEY: "true", "x": "y"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (with_overwrites, "jobs-may-leave"),
        (with_overwrites_by_variable, "jobs-may-leave"),
        (with_manager_on_pool, "manager-in-pool"),
    ],
)
def test_warnings(change: Callable[[Chart], None], code: str) -> None:
    chart = Chart("0.86.0")
    assert plan_patch(runner(chart), WANTED).warnings == ()
    change(chart)
    assert [warning.code for warning in plan_patch(runner(chart), WANTED).warnings] == [code]


def test_an_old_manager_that_goes_first() -> None:
    there = runner(Chart("0.86.0"))
    assert time_to_end(there) == 0
    there.deployment["spec"]["strategy"] = {"type": "Recreate"}
    assert time_to_end(there) == 3600
    assert [warning.code for warning in plan_patch(there, WANTED).warnings] == ["recreate"]


# -- choosing ------------------------------------------------------------------------------------

ONE, TWO = (runner(Chart("0.86.0", release=release)) for release in ("one", "two"))


def test_choosing_one() -> None:
    assert choose([ONE], None, None) is ONE
    assert choose([ONE, TWO], "two-gitlab-runner", None) is TWO
    assert choose([ONE, TWO], "gitlab/one-gitlab-runner", None) is ONE


@pytest.mark.parametrize(
    ("there", "wanted", "kind", "message"),
    [
        ([], None, NotFoundError, "no GitLab runner was found"),
        ([ONE], "other", NotFoundError, "there is no runner other"),
        ([ONE, TWO], None, UsageError, "gitlab/one-gitlab-runner, gitlab/two-gitlab-runner"),
    ],
)
def test_none_or_several(
    there: list[Runner], wanted: str | None, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as refusal:
        choose(there, wanted, None)
    assert getattr(refusal.value, "hint", "")


# -- the Operator --------------------------------------------------------------------------------


def of_operator(config_map: dict[str, Any]) -> Runner:
    return Runner(operator_deployment("build", "ci", "1"), config_map, "build")


def test_operator() -> None:
    metadata = {"name": "mine", "resourceVersion": "1"}
    there = of_operator({"metadata": metadata, "data": {"config.toml": DEFAULT_TEMPLATE}})
    plan = plan_patch(there, WANTED)
    assert plan.added == WANTED
    assert set(plan.patch()["data"]) == {"config.toml"}


def test_operator_without_a_config_map() -> None:
    with pytest.raises(CannotPatch, match=r"has no spec\.config") as refusal:
        template(of_operator({}))
    assert "emit toml" in refusal.value.hint
    assert "no spec.config" in jobs(of_operator({})).doubts[0]


# -- what does not fit together ------------------------------------------------------------------


def test_a_runner_that_is_fine() -> None:
    assert list(faults(runner(Chart("0.86.0")), [])) == []


def test_the_wrong_knob() -> None:
    (found,) = faults(runner(Chart("0.86.0", node_selector={KEY: "true"})), [])
    assert found.code == "wrong-knob"
    assert "not its jobs" in found.message


def test_jobs_that_may_leave() -> None:
    chart = Chart("0.86.0")
    with_overwrites(chart)
    (found,) = faults(runner(chart), [])
    assert found.code == "jobs-may-leave"


def test_a_change_that_the_manager_does_not_know() -> None:
    there = runner(Chart("0.86.0"))
    there.config_map["metadata"]["annotations"] = {RECORD: plan_patch(there, WANTED).record}
    there.config_map["metadata"]["managedFields"] = [
        {"time": "2026-01-01T10:00:00Z", "fieldsV1": {"f:data": {}}},
        {"time": "2026-01-01T12:00:00Z", "fieldsV1": {"f:metadata": {}}},
    ]
    old, new = (
        {"metadata": {"name": name, "creationTimestamp": f"2026-01-01T{hour}:00:00Z"}}
        for name, hour in (("old", "09"), ("new", "11"))
    )
    (found,) = faults(there, [old, new])
    assert (found.code, "pod old" in found.message) == ("not-restarted", True)
    assert list(faults(there, [new])) == []
