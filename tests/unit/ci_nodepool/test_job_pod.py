"""The pod that gitlab-runner makes of each setting, as the real 19.4 was seen to make it."""

from typing import Any

import pytest

from agtool.ci_nodepool.model import Taint, Toleration
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.read import jobs_of
from agtool.ci_nodepool.scheduling import time_to_eviction

FLAG = '  environment = ["FF_USE_ADVANCED_POD_SPEC_CONFIGURATION=true"]\n'


def jobs(kubernetes: str, *, runner: str = "", classes: Any = None) -> Jobs:
    text = f"[[runners]]\n{runner}  [runners.kubernetes]\n{kubernetes}"
    (own,) = jobs_of("ci/r", text, several=False, classes=classes)
    return own


@pytest.mark.parametrize(
    ("line", "toleration"),
    [
        ('"k=v" = "NoSchedule"', Toleration("k", "v", "NoSchedule")),
        ('"k=v" = ""', Toleration("k", "v")),
        ('"k" = "NoSchedule"', Toleration("k", None, "NoSchedule")),
        ('"k=" = "NoSchedule"', Toleration("k", "", "NoSchedule")),
        ('"k" = ""', Toleration("k")),
        ('"" = ""', Toleration("")),
        ('"" = "NoSchedule"', Toleration("", None, "NoSchedule")),
    ],
)
@pytest.mark.parametrize("table", ["node_tolerations", "Node_Tolerations", "NODE_TOLERATIONS"])
def test_forms_of_a_toleration(line: str, toleration: Toleration, table: str) -> None:
    own = jobs(f"[runners.kubernetes.{table}]\n{line}\n")
    assert own.tolerations == (toleration,)
    assert not own.pod.fails


def test_an_empty_value_is_not_any_value() -> None:
    own = jobs('[runners.kubernetes.node_tolerations]\n"k=" = "NoSchedule"\n')
    assert not own.tolerates(Taint("k", "v", "NoSchedule"))
    assert own.tolerates(Taint("k", "", "NoSchedule"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('app.runner = ""', "does not start"),
        ('"k" = true', "does not start"),
        ('"k=a=b" = ""', "'a=b'"),
        ('"k=v:NoSchedule" = ""', "'v:NoSchedule'"),
        ('"=" = ""', "without a key"),
        ('"k = v" = ""', "'k '"),
        ('"k" = "noschedule"', "(NoSchedule?)"),
        ('"k" = "Exists"', "'Exists'"),
    ],
)
def test_forms_that_make_every_job_fail(line: str, why: str) -> None:
    assert why in jobs(f"[runners.kubernetes.node_tolerations]\n{line}\n").pod.fails


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (
            'node_tolerations = [{ key = "a", operator = "Exists", effect = "NoExecute" }]',
            '"a" = "NoExecute"',
        ),
        ('node_tolerations = "k=v:NoSchedule"', '"key=value" = "NoSchedule"'),
        ('[[runners.kubernetes.node_selector]]\nkey = "a"\nvalue = "b"', '"a" = "b"'),
        ('[[runners.kubernetes.node_selector]]\n"a" = "b"', '"a" = "b"'),
        ('nodeSelector = { a = "b" }', "Write node_selector."),
        ('tolerations = { a = "b" }', "Write node_tolerations."),
        ("[runners.kubernetes.affinity.nodeAffinity]", "Write node_affinity."),
        ('[runners.node_selector]\n"a" = "b"', "runners.kubernetes.node_selector"),
    ],
)
def test_what_is_ignored_is_told_with_the_right_line(text: str, right: str) -> None:
    own = jobs(f"{text}\n")
    assert not own.selector
    assert not own.tolerations
    (finding,) = own.findings()
    assert finding.code == "ignored-setting"
    assert right in finding.hint


@pytest.mark.parametrize(
    "text",
    [
        "node_selector = { a = 1 }",
        'affinity = "x"',
        (
            "[runners.kubernetes.affinity.node_affinity]\n"
            "preferred_during_scheduling_ignored_during_execution = {}"
        ),
        "runtime_class_name = 1",
        'pod_spec = "x"',
    ],
)
def test_types_with_which_it_does_not_start(text: str) -> None:
    assert "does not start" in jobs(f"{text}\n").pod.fails


def test_tables_in_other_letters_are_united() -> None:
    own = jobs(
        '[runners.kubernetes.node_selector]\na = "b"\n[runners.kubernetes.Node_Selector]\nc = "d"\n'
    )
    assert own.selector == {"a": "b", "c": "d"}


# -- pod_spec ------------------------------------------------------------------------------------

BASE = '[runners.kubernetes.node_tolerations]\n"own" = "NoSchedule"\n'


def patched(patch: str, kind: str, *, base: str = BASE, runner: str = FLAG) -> Jobs:
    entry = f"[[runners.kubernetes.pod_spec]]\nname = \"p\"\npatch = '''{patch}'''\n"
    return jobs(f'{base}{entry}patch_type = "{kind}"\n' if kind else base + entry, runner=runner)


@pytest.mark.parametrize("kind", ["merge", "strategic", ""])
def test_a_merge_replaces_all_tolerations(kind: str) -> None:
    own = patched("tolerations: [{key: other, operator: Exists}]", kind)
    assert own.tolerations == (Toleration("other"),)
    assert [each.code for each in own.findings()] == ["lost-tolerations"]
    assert "own:NoSchedule" in next(own.findings()).message


def test_the_second_patch_wipes_the_first() -> None:
    entries = "".join(
        "[[runners.kubernetes.pod_spec]]\n"
        f"patch = 'tolerations: [{{key: {key}, operator: Exists}}]'\n"
        for key in ("one", "two")
    )
    assert jobs(entries, runner=FLAG).tolerations == (Toleration("two"),)


@pytest.mark.parametrize("kind", ["merge", "strategic"])
def test_selectors_are_merged_by_key(kind: str) -> None:
    base = '[runners.kubernetes.node_selector]\na = "b"\nc = "d"\n'
    own = patched("nodeSelector: {a: null, e: f}", kind, base=base)
    assert own.selector == {"c": "d", "e": "f"}


def test_a_directive_of_a_strategic_patch() -> None:
    base = '[runners.kubernetes.node_selector]\na = "b"\n'
    own = patched("nodeSelector: {$patch: replace, c: d}", "strategic", base=base)
    assert own.selector == {"c": "d"}
    assert patched("$retainKeys: [a]", "strategic").doubts


@pytest.mark.parametrize(
    ("patch", "fails"),
    [
        ('[{"op": "add", "path": "/tolerations", "value": []}]', ""),
        ('[{"op": "replace", "path": "/nodeSelector", "value": {"a": "b"}}]', ""),
        ('[{"op": "add", "path": "/tolerations/-", "value": {"operator": "Exists"}}]', ""),
        ('[{"op": "add", "path": "/nodeSelector/a", "value": "b"}]', "nothing to add to"),
        ('[{"op": "remove", "path": "/nodeSelector"}]', "no /nodeSelector to remove"),
        ('[{"op": "put", "path": "/nodeSelector"}]', "unknown operation"),
        ('[{"op": "add", "path": "/nodeSelector", "value": {"a": true}}]', "not a string"),
        ('{"nodeSelector": {}}', "not a list of operations"),
    ],
)
def test_json_patches(patch: str, fails: str) -> None:
    own = patched(patch, "json")
    assert (fails in own.pod.fails) if fails else not own.pod.fails


@pytest.mark.parametrize(
    ("patch", "kind", "why"),
    [
        ("tolerations: [", "merge", "is not YAML"),
        ("[]", "merge", "is not an object"),
        ("a: b", "Merge", "write 'merge'"),
        ("nodeSelector: {a: true}", "strategic", "not a string"),
        ("tolerations: [{key: a, effect: NoSchedule, tolerationSeconds: 1}]", "merge", "Seconds"),
        ("tolerations: [{key: a, operator: Exists, value: b}]", "merge", "and a value"),
    ],
)
def test_patches_with_which_every_job_fails(patch: str, kind: str, why: str) -> None:
    assert why in patched(patch, kind).pod.fails


@pytest.mark.parametrize(
    "runner",
    [
        "",
        '  environment = ["FF_USE_ADVANCED_POD_SPEC_CONFIGURATION=yes"]\n',
        f"{FLAG}  [runners.feature_flags]\n    FF_USE_ADVANCED_POD_SPEC_CONFIGURATION = false\n",
    ],
)
def test_without_the_flag_patches_are_ignored(runner: str) -> None:
    own = patched("tolerations: []", "merge", runner=runner)
    assert own.tolerations == (Toleration("own", None, "NoSchedule"),)
    assert [each.code for each in own.findings()] == ["ignored-setting"]


@pytest.mark.parametrize(
    "entry",
    [
        'patch_path = "/etc/patch.yaml"',
        'patch = \'[{"op": "add", "path": "/hostAliases/-", "value": {}}]\'\npatch_type = "json"',
        "patch = 'Tolerations: []'",
        "patch = 'schedulerName: mine'",
        "patch = 'schedulingGates: [{name: a}]'",
        "patch = 'topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1}]'",
    ],
)
def test_what_a_patch_does_may_be_a_doubt(entry: str) -> None:
    own = jobs(f"[[runners.kubernetes.pod_spec]]\n{entry}\n", runner=FLAG)
    assert own.doubts
    assert not own.pod.fails


def test_a_doubt_about_other_pods() -> None:
    own = jobs(
        "[[runners.kubernetes.affinity.pod_affinity"
        ".required_during_scheduling_ignored_during_execution]]\n"
        'topology_key = "zone"\n'
    )
    assert "near certain other pods" in own.doubts[0]


# -- what else decides ---------------------------------------------------------------------------


def test_a_runtime_class_chooses_nodes() -> None:
    text = 'runtime_class_name = "gvisor"\n'
    assert jobs(text).doubts
    assert "no runtime class gvisor" in jobs(text, classes={"gvisor": None}).pod.fails
    scheduling = {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "operator": "Exists"}]}
    own = jobs(text, classes={"gvisor": {"scheduling": scheduling}})
    assert (own.selector, own.tolerations) == ({"a": "b"}, (Toleration("k"),))
    assert not own.doubts
    clash = f'{text}[runners.kubernetes.node_selector]\na = "c"\n'
    assert (
        "wants nodes with a=b"
        in jobs(clash, classes={"gvisor": {"scheduling": scheduling}}).pod.fails
    )


def test_the_first_toleration_that_matches_says_how_long() -> None:
    spec = {
        "tolerations": [
            {"key": "a", "operator": "Exists", "tolerationSeconds": 30},
            {"key": "a", "operator": "Exists"},
            {"key": "b", "operator": "Exists"},
        ]
    }
    assert time_to_eviction(spec, [Taint("a", "", "NoExecute")]) == 30
    assert time_to_eviction(spec, [Taint("b", "", "NoExecute")]) is None
    assert time_to_eviction(spec, [Taint("c", "", "NoExecute")]) == 0
    assert time_to_eviction(spec, [Taint("c", "", "NoSchedule")]) is None


def test_several_runners_in_a_config_toml() -> None:
    text = (
        'concurrent = 1\n[[runners]]\nname = "one"\nexecutor = "kubernetes"\n'
        '[[runners]]\nname = "two"\nexecutor = "shell"\n'
        '[[runners]]\nexecutor = "kubernetes"\n[runners.kubernetes.node_selector]\na = "b"\n'
    )
    found = jobs_of("ci/r", text, several=True)
    assert [(own.section, dict(own.selector)) for own in found] == [
        ("one", {}),
        ("[[runners]] 3", {"a": "b"}),
    ]
    (own,) = jobs_of("ci/r", text, several=False)
    assert "exactly one" in own.pod.fails


@pytest.mark.parametrize("text", ["[[runners]", "runners = 1\n", "[runners]\n"])
def test_what_is_no_configuration(text: str) -> None:
    (own,) = jobs_of("ci/r", text, several=True)
    assert own.pod.fails
