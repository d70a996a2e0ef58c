"""What `emit` prints is what Helm, the runner and Kubernetes take."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from agtool.ci_nodepool.emit.helm import helm_values, toml
from agtool.ci_nodepool.emit.manifest import RULES, watch_manifest
from agtool.ci_nodepool.emit.pool import POOLS
from agtool.ci_nodepool.emit.provider import pool_commands
from agtool.ci_nodepool.model import Label, Taint
from agtool.ci_nodepool.presets import PRESETS, Preset
from agtool.ci_nodepool.runner.edit import read
from agtool.ci_nodepool.runner.placement import Tables, missing, placement
from agtool.core.errors import UsageError

KEY = "cloud.google.com/gke-preemptible"
WANTED = Tables({KEY: "true"}, {f"{KEY}=true": "NoSchedule", "any": ""})


@pytest.mark.parametrize("chart", [None, (0, 26), (0, 86)])
def test_values_of_a_chart_with_templates(chart: tuple[int, int] | None) -> None:
    values = yaml.safe_load(helm_values(WANTED, chart))
    assert list(values) == ["runners"]
    assert read(values["runners"]["config"]) == WANTED


def test_the_tables_alone() -> None:
    assert read(toml(WANTED)) == WANTED
    assert read(toml(Tables({"a": 'b"\\'}))) == Tables({"a": 'b"\\'})


def test_values_of_old_charts() -> None:
    # The chart's template prints KEY=VALUE:EFFECT, or KEY:EFFECT where operator is Exists.
    values = yaml.safe_load(helm_values(WANTED, (0, 19)))["runners"]
    assert values == {
        "nodeSelector": {KEY: "true"},
        "nodeTolerations": [
            {"key": KEY, "value": "true", "effect": "NoSchedule"},
            {"key": "any", "operator": "Exists", "effect": ""},
        ],
    }
    values = yaml.safe_load(
        helm_values(Tables(WANTED.node_selector, {"k=v": "NoSchedule"}), (0, 15))
    )
    assert values["runners"] == {"nodeSelector": {KEY: "true"}}
    assert values["envVars"] == [{"name": "KUBERNETES_NODE_TOLERATIONS", "value": "k=v:NoSchedule"}]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_presets(preset: Preset) -> None:
    wanted = placement(preset.pool, ())
    assert wanted.node_selector == dict([preset.label])
    # Jobs tolerate the taint that agtool gives, and the provider's own.
    assert preset.toleration.tolerates(preset.taint)
    if preset.built_in:
        assert "There is nothing to do." in pool_commands(preset, [preset.taint])
    more = Taint("more", "x", "NoExecute")
    text = pool_commands(preset, [more] if preset.built_in else [preset.taint, more])
    if preset.any_value:
        assert "--register-with-taints=more=x:NoExecute" in text
        return
    commands = [line for line in text.splitlines() if not line.startswith("#")]
    if preset.name == "karpenter-spot":
        taints = yaml.safe_load(text)["spec"]["template"]["spec"]["taints"]
        assert Taint(**taints[0]) == preset.taint
    else:
        # One command that a shell understands, with both taints in one argument.
        words = shlex.split("\n".join(commands))
        assert words[0] in {"gcloud", "aws", "az"}
        assert preset.label.key in words[-1]
        assert "more" in words[-1]


TAINTS = [Taint("dedicated", "ci", "NoSchedule"), Taint("more", "", "NoExecute")]


@pytest.mark.parametrize("tool", POOLS)
def test_every_tool_gets_both_taints(tool: str) -> None:
    # az takes no taint without a value.
    taints = TAINTS if tool != "aks" else [taint._replace(value="x") for taint in TAINTS]
    text = pool_commands(None, taints, tool=tool, labels=[Label("pool", "ci")])
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    body = "\n".join(lines)
    if tool in ("eksctl", "karpenter", "kops", "cluster-api"):
        written = str(yaml.safe_load(body))
    elif tool.startswith("terraform"):
        written = body
        assert body.count("{") == body.count("}")
    else:
        written = " ".join(shlex.split(body))
    for taint in TAINTS:
        assert taint.key in written
    assert "NoExecute" in written or "NO_EXECUTE" in written


def test_eks_refuses_keys_of_its_own_and_of_kubernetes() -> None:
    reserved = pool_commands(PRESETS["eks-spot"], [PRESETS["eks-spot"].taint])
    assert "EKS refuses" in reserved
    assert "EKS refuses" not in pool_commands(None, TAINTS, tool="terraform-aws")
    with pytest.raises(UsageError, match="with which tool"):
        pool_commands(None, TAINTS)


def test_az_takes_no_taint_without_a_value() -> None:
    # Its validator (acs/_validators.py, validate_taint) wants KEY=VALUE:EFFECT.
    with pytest.raises(UsageError, match="az refuses the taint more:NoExecute"):
        pool_commands(None, TAINTS, tool="aks")


def test_the_provider_of_a_taint_without_a_known_value() -> None:
    wanted = placement(PRESETS["oke-preemptible"].pool, ())
    there = Tables(
        wanted.node_selector, {"oci.oraclecloud.com/oke-is-preemptible=true": "NoSchedule"}
    )
    assert missing(there, wanted).node_tolerations


def test_the_manifest_holds_together() -> None:
    text = watch_manifest(["-l", "a=b", "c=d:NoSchedule"], namespace="ns", image="x:1")
    account, role, binding, deployment = yaml.safe_load_all(text)
    assert role["rules"] == RULES
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], "ns")
    pod = deployment["spec"]["template"]
    assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
    labels = deployment["spec"]["selector"]["matchLabels"]
    assert labels.items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    assert container["args"][:2] == ["ci-nodepool", "watch"]
    assert container["image"] == "x:1"
    assert container["args"][-1] == f":{container['ports'][0]['containerPort']}"
    assert "requests" in container["resources"]


DEPLOY = Path(__file__).parents[3] / "deploy/ci-nodepool-watch"


def test_the_deployment_is_what_is_emitted_where_nothing_is_said() -> None:
    written = (DEPLOY / "watch.yaml").read_text(encoding="utf-8")
    assert written == emit("watch").stdout, "agtool ci-nodepool emit watch writes it anew"


def test_the_monitor_finds_the_pods_of_the_deployment() -> None:
    *_, deployment = yaml.safe_load_all((DEPLOY / "watch.yaml").read_text(encoding="utf-8"))
    monitor = yaml.safe_load((DEPLOY / "monitoring/podmonitor.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]
    assert monitor["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (port,) = pod["spec"]["containers"][0]["ports"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")


# -- the command ---------------------------------------------------------------------------------


def emit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `agtool ci-nodepool emit ARGUMENTS...` where there is no cluster."""
    return subprocess.run(
        [sys.executable, "-m", "agtool", "ci-nodepool", "emit", *arguments],
        env={"PATH": "/usr/bin:/bin", "KUBECONFIG": "/nonexistent", "HOME": "/nonexistent"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_needs_no_cluster() -> None:
    done = emit("helm", "-l", "pool=ci", "--taint", 'dedicated="ci":NoSchedule')
    assert done.returncode == 0, done.stderr
    wanted = Tables({"pool": "ci"}, {"dedicated=ci": "NoSchedule"})
    assert read(yaml.safe_load(done.stdout)["runners"]["config"]) == wanted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pool", "-l", "pool=ci"], "--selector has no effect on `emit pool`"),
        (["helm", "-n", "ci"], "--namespace has no effect on `emit helm`"),
        (["toml", "--image", "x"], "--image has no effect on `emit toml`"),
        (["watch", "--chart", "0.19"], "--chart has no effect on `emit watch`"),
        (["watch", "-n", "Bad NS"], "not a valid name of a namespace"),
        (["watch", "--image", ""], "it is empty"),
        (["watch", "--image", "a b"], "--image 'a b' is not a valid image"),
        (
            ["watch", "-l", "pool=ci", "--preset", "gke-spot", "--taint", "a=b:NoExecute"],
            "--preset",
        ),
        ([], "Choose from: helm, toml, pool, admission, watch\n"),
        (["watch", "--preset", "gke"], "'gke' is not a preset. Choose gke-preemptible"),
        (["all"], "helm"),
        (["helm", "-l", "pool!=ci"], "jobs cannot select nodes by 'pool!=ci'"),
        (["helm", "-l", "pool in (a,b)"], "jobs cannot select nodes by"),
        (["helm", "--chart", "new"], "not a valid version"),
        (["watch", "-l", "pool=ci"], "nothing says what `watch` should keep"),
        (["watch", "--preset", "aks-spot"], "by itself"),
    ],
)
def test_what_makes_no_sense(arguments: list[str], message: str) -> None:
    done = emit(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
