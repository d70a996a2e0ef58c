"""What people read where the words are the point."""

from dataclasses import replace
from typing import Any, cast

import pytest

from agtool.ci_nodepool.cli.options import PoolOptions, ProviderOptions
from agtool.ci_nodepool.model import Label, Node, Taint
from agtool.ci_nodepool.nodes import NodesChange, plan_change
from agtool.ci_nodepool.parse import namespace_of_runner
from agtool.ci_nodepool.pool.fates import FATES, Affected
from agtool.ci_nodepool.pool.find import find_changed, find_pool
from agtool.ci_nodepool.pool.plan import Wanted, plan_node
from agtool.ci_nodepool.pool.write import Report
from agtool.ci_nodepool.presets import PRESETS, Pool
from agtool.ci_nodepool.show.changes import affected_lines, undone_view
from agtool.ci_nodepool.undo import Undone
from agtool.core.errors import UsageError
from agtool.core.kube.errors import ConflictError, NotFoundError
from agtool.core.kube.session import Session

NODE = Node("n", "u", "1", "", {"pool": "a"}, (), "", ready=True, cordoned=False)
SPOT = PRESETS["gke-spot"]


class Empty:
    """A session on a cluster without nodes."""

    def get(self, path: str) -> Any:
        raise NotFoundError(f"{path} not found", hint="")


SESSION = cast("Session", Empty())


def test_what_becomes_of_pods_is_one_sentence_for_any_number() -> None:
    for fate in FATES:
        for number in (1, 2):
            pods = [Affected("Pod", "web", f"p{i}", "n", fate) for i in range(number)]
            sentence = next(affected_lines(pods))
            assert sentence.count(":") == 1
            assert not {"it", "they", "their"} & set(sentence.split())


def test_a_node_that_is_not_there() -> None:
    with pytest.raises(NotFoundError) as error:
        find_changed(SESSION, Pool(("nosuch",)))
    assert "kubectl get nodes" in error.value.hint
    assert "KEY-" not in error.value.hint
    with pytest.raises(NotFoundError) as error:
        find_pool(SESSION, Pool(("nosuch",)), hint="Write KEY-")
    assert error.value.hint.endswith("\nWrite KEY-")


@pytest.mark.parametrize(
    ("wanted", "command"),
    [
        (Wanted(labels=(Label("pool", "b"),)), "label"),
        (Wanted(taints=(Taint("pool", "b", "NoSchedule"),)), "taint"),
    ],
)
def test_a_conflict_names_the_command_that_helps(wanted: Wanted, command: str) -> None:
    taint = {"key": "pool", "value": "a", "effect": "NoSchedule"}
    node = replace(NODE, taints=(taint,))
    with pytest.raises(ConflictError) as error:
        plan_change(SESSION, Pool(("n",)), [node], lambda node: plan_node(node, wanted))
    assert f"--overwrite to agtool ci-nodepool {command}." in error.value.hint


def test_each_step_of_undo_says_which_it_is() -> None:
    change = plan_node(NODE, Wanted(labels=(Label("more", "b"),)))
    step = NodesChange(Pool(), nodes=1, changes=(change,), report=Report(changed=["n"]))
    shown = list(undone_view(Undone((step, step)), dry_run=False))
    assert shown == ["undo of taints: 1 node changed", "undo of labels: 1 node changed"]
    named = NodesChange(Pool(("n",)), nodes=1, changes=(change,), report=Report(changed=["n"]))
    assert list(undone_view(Undone((named,)), dry_run=False)) == ["undo: 1 node changed"]


# -- which nodes, which runner ---------------------------------------------------------------------


def test_a_preset_chooses_nodes_or_says_whose_taint_is_meant() -> None:
    assert PoolOptions(None, SPOT).pool() == SPOT.pool
    assert ProviderOptions(None, SPOT).pool(given=["a=b"]) == SPOT.pool
    assert ProviderOptions("a=b", SPOT).pool(given=[]) == Pool((), "a=b", SPOT)
    assert ProviderOptions(None, SPOT).pool(["n"], given=[]) == Pool(("n",), "", SPOT)


@pytest.mark.parametrize(
    ("options", "names", "given"),
    [
        (PoolOptions("a=b", SPOT), [], None),
        (PoolOptions(None, SPOT), ["n"], None),
        (PoolOptions("a=b", None), ["n"], None),
        (ProviderOptions("a=b", SPOT), [], ["c=d"]),
        (ProviderOptions("a=b", SPOT), ["n"], []),
    ],
)
def test_nodes_are_chosen_in_one_way(
    options: Any, names: list[str], given: list[str] | None
) -> None:
    with pytest.raises(UsageError, match="has no effect beside"):
        options.pool(names, **({} if given is None else {"given": given}))


@pytest.mark.parametrize(
    ("runner", "namespace", "found"),
    [
        (None, None, None),
        (None, "a", "a"),
        ("r", None, None),
        ("r", "a", "a"),
        ("a/r", None, "a"),
        ("a/r", "a", "a"),
    ],
)
def test_the_namespace_of_a_runner(
    runner: str | None, namespace: str | None, found: str | None
) -> None:
    assert namespace_of_runner(runner, namespace) == found


@pytest.mark.parametrize("runner", ["a/b/c", "a/", "/r", "A/r", "a b"])
def test_what_is_not_the_name_of_a_runner(runner: str) -> None:
    with pytest.raises(UsageError) as error:
        namespace_of_runner(runner, None)
    assert "NAMESPACE/NAME" in error.value.hint


def test_a_runner_in_another_namespace() -> None:
    with pytest.raises(UsageError, match="not in the namespace b"):
        namespace_of_runner("a/r", "b")
