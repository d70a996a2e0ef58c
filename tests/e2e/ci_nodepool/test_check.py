"""`check` and `edit`: runners in files, without a cluster."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.conftest import needed
from tests.e2e.conftest import Agtool, Done, clean_environment
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart
from tests.servers.process import ServerUnavailable, find_program

CASES = Path(__file__).parents[2] / "cases" / "ci_nodepool"
GKE, KARPENTER = "cloud.google.com/gke-spot", "karpenter.sh/capacity-type"
PLACED = f'    [runners.kubernetes.node_selector]\n      "{GKE}" = "true"\n'
TOLERATING = f'    [runners.kubernetes.node_tolerations]\n      "{GKE}=true" = "NoSchedule"\n'
FITS = DEFAULT_TEMPLATE + PLACED + TOLERATING
MISFIT = DEFAULT_TEMPLATE + PLACED


@pytest.fixture
def run(agtool: Agtool, tmp_path: Path) -> Callable[..., Done]:
    """Give what runs agtool ci-nodepool where there is no cluster."""

    def run_it(*arguments: str | Path) -> Done:
        return agtool.run("ci-nodepool", *arguments, env={"KUBECONFIG": str(tmp_path / "none")})

    return run_it


def checked(run: Callable[..., Done], *arguments: str | Path) -> Any:
    done = run("check", *arguments, "-o", "json")
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.exit_code, done.stderr
    return document


def verdicts(document: Any) -> dict[str, str]:
    return {each["runner"]: each["verdict"] for each in document["data"]["runners"]}


# -- the cases -----------------------------------------------------------------------------------


def test_a_helm_release(run: Callable[..., Done]) -> None:
    document = checked(run, CASES / "helmrelease.yaml", "--preset", "karpenter-spot")
    assert document["exit_code"] == 1
    (runner,) = document["data"]["runners"]
    assert (runner["runner"], runner["verdict"]) == ("build/ci", "misfit")
    assert runner["taints"] == [{"taint": f"{KARPENTER}=spot:NoSchedule", "tolerated": False}]
    lines = (CASES / "helmrelease.yaml").read_text().splitlines()
    assert "image" in lines[runner["change"]["line"] - 2]
    assert f'"{KARPENTER}=spot" = "NoSchedule"' in runner["change"]["text"]


def test_an_umbrella_chart(run: Callable[..., Done]) -> None:
    document = checked(run, CASES / "umbrella-values.yaml", "--preset", "gke-spot")
    assert verdicts(document) == {"gitlab-runner": "fits", "fast-runner": "misfit"}
    assert [each["where"] for each in document["data"]["runners"]] == [
        "any node",
        f"nodes with {GKE}=true",
    ]


@pytest.mark.parametrize("name", ["nodes-scaling-down.json", "nodes-starting.json"])
def test_a_runner_kept_by_hand_on_nodes_of_a_file(run: Callable[..., Done], name: str) -> None:
    options = (CASES / "kept-by-hand.yaml", "--nodes", CASES / name)
    document = checked(run, *options)
    assert verdicts(document) == {"build/ci": "misfit"}
    (finding,) = document["data"]["runners"][0]["findings"]
    assert finding["code"] == "deadlock"
    assert f"{GKE}=true:NoSchedule" in finding["message"]
    assert verdicts(checked(run, *options, "--preset", "gke-spot")) == {"build/ci": "misfit"}


@pytest.mark.parametrize(
    ("name", "options", "code", "verdict"),
    [
        ("preferred.toml", ("--preset", "gke-spot"), 0, "fits"),
        ("pod-spec-strategic.toml", ("--preset", "karpenter-spot"), 0, "fits"),
        ("tolerations-as-array.toml", ("--preset", "gke-spot"), 1, "misfit"),
        # Nothing is known of nodes with example.io/pipeline, or they are known.
        ("affinity-only.toml", ("--preset", "karpenter-spot"), 3, "unknown"),
        (
            "affinity-only.toml",
            ("-l", "example.io/pipeline=a", "--taint", f"{KARPENTER}=spot:NoSchedule"),
            1,
            "misfit",
        ),
        (
            "affinity-only.toml",
            ("-l", "example.io/pipeline=a", "--taint", "example.io/runner=true:NoSchedule"),
            0,
            "fits",
        ),
        ("affinity-only.toml", ("--nodes", str(CASES / "nodes-arm.json")), 1, "misfit"),
    ],
)
def test_cases_of_toml(
    run: Callable[..., Done], name: str, options: tuple[str, ...], code: int, verdict: str
) -> None:
    document = checked(run, CASES / name, *options)
    assert (document["exit_code"], verdicts(document)) == (code, {name: verdict})


def test_the_affinity_of_one_and_the_label_of_another_contradict(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    text = (CASES / "affinity-only.toml").read_text()
    file = tmp_path / "both.toml"
    file.write_text(f'{text}    [runners.kubernetes.node_selector]\n      "{GKE}" = "true"\n')
    nodes = json.loads((CASES / "nodes-arm.json").read_text())
    (tmp_path / "nodes.json").write_text(json.dumps(nodes))
    document = checked(run, file, "--nodes", tmp_path / "nodes.json")
    assert verdicts(document) == {"both.toml": "misfit"}
    assert "selector and affinity contradict" in str(document["data"])


# -- every form in which a runner is kept ---------------------------------------------------------


def values(config: str) -> Any:
    return {"gitlabUrl": "https://gitlab.example", "runners": {"config": config}}


def helm_release(config: str) -> Any:
    source = {"kind": "HelmRepository", "name": "gitlab"}
    chart = {"spec": {"chart": "gitlab-runner", "version": "0.86.0", "sourceRef": source}}
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "x"},
        "spec": {"interval": "10m", "chart": chart, "values": values(config)},
    }


def application(helm: Any, kind: str = "Application") -> Any:
    source = {
        "repoURL": "https://charts.gitlab.io",
        "chart": "gitlab-runner",
        "targetRevision": "0.86.0",
        "helm": helm,
    }
    spec = {"project": "default", "destination": {"name": "in-cluster"}, "source": source}
    several = {
        "generators": [{"list": {"elements": [{"name": "x"}]}}],
        "template": {"metadata": {"name": "{{name}}"}, "spec": spec},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "x"},
        "spec": spec if kind == "Application" else several,
    }


def rendered(config: str) -> Any:
    chart = Chart("0.86.0", "x", namespace="default", template=config, full_name="x")
    return {"apiVersion": "v1", "kind": "List", "items": [chart.config_map, chart.deployment]}


def operator(config: str) -> list[Any]:
    runner = {
        "apiVersion": "apps.gitlab.com/v1beta2",
        "kind": "Runner",
        "metadata": {"name": "x"},
        "spec": {"config": "mine"},
    }
    data = {"config.toml": config}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
    return [runner, {**config_map, "data": data}]


FORMS: dict[str, Callable[[str], Any]] = {
    "values": values,
    "an umbrella's values": lambda config: {"ci": {"nested": values(config)}},
    "HelmRelease": helm_release,
    "HelmRelease of an umbrella": lambda config: {
        **helm_release(config),
        "spec": {
            "interval": "10m",
            "chart": {
                "spec": {
                    "chart": "./umbrella",
                    "sourceRef": {"kind": "GitRepository", "name": "charts"},
                }
            },
            "values": {"a": values(config)},
        },
    },
    "HelmRelease of a chart in a registry": lambda config: {
        **helm_release(config),
        "spec": {
            "interval": "10m",
            "chartRef": {"kind": "OCIRepository", "name": "runner"},
            "values": values(config),
        },
    },
    "Application, values": lambda c: application({"values": yaml.safe_dump(values(c))}),
    "Application, valuesObject": lambda c: application({"valuesObject": values(c)}),
    "ApplicationSet": lambda c: application({"valuesObject": values(c)}, "ApplicationSet"),
    "HelmChart": lambda config: {
        "apiVersion": "helm.cattle.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": "x"},
        "spec": {"chart": "gitlab/gitlab-runner", "valuesContent": yaml.safe_dump(values(config))},
    },
    "a kustomization": lambda config: {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "helmCharts": [{"name": "gitlab-runner", "valuesInline": values(config)}],
    },
    "a helmfile": lambda config: {
        "releases": [{"name": "x", "chart": "gitlab/gitlab-runner", "values": [values(config)]}]
    },
    "values in a ConfigMap": lambda config: {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"values.yaml": yaml.safe_dump(values(config))},
    },
    "rendered": rendered,
    "the Operator's": operator,
    "a ConfigMap alone": lambda config: operator(config)[1],
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_and_edited(run: Callable[..., Done], tmp_path: Path, form: str) -> None:
    file = tmp_path / "runner.yaml"

    def write(config: str) -> None:
        made = FORMS[form](config)
        file.write_text(yaml.safe_dump_all(made if isinstance(made, list) else [made]))

    write(FITS)
    document = checked(run, file, "--preset", "gke-spot")
    assert list(verdicts(document).values()) == ["fits"], document
    write(MISFIT)
    document = checked(run, file, "--preset", "gke-spot")
    assert list(verdicts(document).values()) == ["misfit"], document

    before = list(yaml.safe_load_all(file.read_text()))
    assert run("edit", file, "--preset", "gke-spot").exit_code == 0
    assert list(yaml.safe_load_all(file.read_text())) == before
    done = run("edit", file, "--preset", "gke-spot", "--write")
    assert done.exit_code == 0, done.stderr
    document = checked(run, file, "--preset", "gke-spot")
    assert list(verdicts(document).values()) == ["fits"], file.read_text()
    again = run("edit", file, "--preset", "gke-spot", "--write")
    assert "already as wanted" in again.stdout


def test_what_comes_from_elsewhere_is_a_doubt(run: Callable[..., Done], tmp_path: Path) -> None:
    release = helm_release(FITS)
    release["spec"]["values"] = {"gitlabUrl": "x"}
    release["spec"]["valuesFrom"] = [{"kind": "ConfigMap", "name": "values"}]
    with_parameter = application(
        {"valuesObject": values(FITS), "parameters": [{"name": "runners.config", "value": "x"}]}
    )
    with_file = application(
        {"valuesObject": values(FITS), "fileParameters": [{"name": "runners.config", "path": "x"}]}
    )
    patched = application({"valuesObject": values(FITS)}, "ApplicationSet")
    patched["spec"]["templatePatch"] = "spec: {source: {helm: {values: '{{values}}'}}}"
    for number, made in enumerate((release, with_parameter, with_file, patched)):
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump(made))
        document = checked(run, file, "--preset", "gke-spot")
        assert document["exit_code"] == 3, document


def test_go_template_text(run: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    block = textwrap.indent(MISFIT.replace('"ci"', "{{ .Release.Namespace | quote }}"), "    ")
    text = f"runners:\n  config: |  # by the team\n{block}\n# the end\n"
    file.write_text(text)
    assert checked(run, file, "--preset", "gke-spot")["exit_code"] == 1
    done = run("edit", file, "--preset", "gke-spot", "--write")
    assert done.exit_code == 0, done.stderr
    added = file.read_text()
    assert [line for line in added.splitlines() if line not in text.splitlines()] == [
        "        [runners.kubernetes.node_tolerations]",
        f'          "{GKE}=true" = "NoSchedule"',
    ]
    assert [line for line in added.splitlines() if line in text.splitlines()] == text.splitlines()
    assert checked(run, file, "--preset", "gke-spot")["exit_code"] == 0

    file.write_text(
        added.replace("        image =", '        {{- include "x" . }}\n        image =')
    )
    assert checked(run, file, "--preset", "gke-spot")["exit_code"] == 3
    file.write_text(added.replace('= "true"', "= {{ .Values.spot | quote }}"))
    assert checked(run, file, "--preset", "gke-spot")["exit_code"] == 3


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "style", ["config: |\n{block}", "config: >\n{folded}", "config: {json}", "config: |2-\n{two}"]
)
def test_every_style_of_a_string_is_edited(
    run: Callable[..., Done], tmp_path: Path, style: str, newline: str
) -> None:
    config = MISFIT
    folded = "".join(f"    {line}\n\n" for line in config.splitlines())
    folded = folded.replace("    " + " " * 2, "    ").replace("      ", "    ")
    body = style.format(
        block=textwrap.indent(config, "    "),
        folded="\n".join(f"    {line.strip()}\n" for line in config.splitlines()),
        json=json.dumps(config),
        two=textwrap.indent(config, "    "),
    )
    text = f"# before\nrunners:\n  {body.rstrip()}\n  name: x   # after\n"
    file = tmp_path / "values.yaml"
    file.write_bytes(text.replace("\n", newline).encode())
    done = run("edit", file, "--preset", "gke-spot", "--write")
    assert done.exit_code == 0, done.stderr
    after = file.read_bytes().decode()
    assert after.startswith(f"# before{newline}runners:{newline}")
    assert after.endswith(f"  name: x   # after{newline}")
    assert checked(run, file, "--preset", "gke-spot")["exit_code"] == 0


def test_a_file_for_which_there_is_no_room_stays_as_it_was(agtool: Agtool, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values(MISFIT)) + "# a comment\n" * 1000)
    before = file.read_bytes()
    # No file may grow beyond a block, and so no half of the new one can be written over the old.
    limited = ("sh", "-c", 'ulimit -f 1; exec "$@"', "sh", sys.executable, "-m", "agtool")
    arguments = ("ci-nodepool", "edit", file, "--preset", "gke-spot", "--write")
    done = agtool.run(*arguments, program=limited)
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"cannot write {file}: " in done.stderr
    assert "Nothing was changed." in done.stderr
    assert file.read_bytes() == before
    assert list(folder.iterdir()) == [file]


def test_a_link_and_the_mode_of_its_file_stay(run: Callable[..., Done], tmp_path: Path) -> None:
    file, link = tmp_path / "values.yaml", tmp_path / "link.yaml"
    file.write_text(yaml.safe_dump(values(MISFIT)))
    file.chmod(0o604)
    link.symlink_to(file.name)
    done = run("edit", link, "--preset", "gke-spot", "--write")
    assert done.exit_code == 0, done.stderr
    assert link.is_symlink()
    assert (file.stat().st_mode & 0o777, file.is_symlink()) == (0o604, False)
    assert "node_tolerations" in file.read_text()


# Of these a mount namespace remembers nothing when the program ends.
MOUNTED = 'mount --bind "$0/values.yaml" "$0/values.yaml"'
FULL = (
    'cp "$0/values.yaml" "$0.copy" && mount -t tmpfs -o size=32k tmpfs "$0" '
    '&& cp "$0.copy" "$0/values.yaml" && { cat /dev/zero > "$0/rest" 2> /dev/null || true; }'
)


@pytest.mark.parametrize("make", [MOUNTED, f"{FULL} && {MOUNTED}"], ids=["roomy", "full"])
def test_a_file_that_is_mounted_by_itself(agtool: Agtool, tmp_path: Path, make: str) -> None:
    with needed():
        if os.geteuid() != 0:
            raise ServerUnavailable("a mount namespace needs root")
        unshare = find_program("unshare")
    file, seen = tmp_path / "files/values.yaml", tmp_path / "files.seen"
    file.parent.mkdir()
    text = yaml.safe_dump(values(MISFIT))
    # It needs another page of a full disk.
    file.write_text(f"{text}#{'.' * (4096 - len(text) - 2)}\n")
    before = file.read_text()
    script = (
        f'{make} && {{ code=0; "$@" || code=$?; cat "$0/values.yaml" > "$0.seen"; exit $code; }}'
    )
    mounted = (str(unshare), "--mount", "sh", "-c", script, str(file.parent))
    arguments = ("ci-nodepool", "edit", file, "--preset", "gke-spot", "--write")
    done = agtool.run(*arguments, program=(*mounted, sys.executable, "-m", "agtool"))
    if make == MOUNTED:
        assert done.exit_code == 0, done.stderr
        assert "node_tolerations" in seen.read_text()
    else:
        assert (done.exit_code, seen.read_text()) == (3, before)
        assert "No space left on device" in done.stderr


def test_a_file_keeps_its_owner(run: Callable[..., Done], tmp_path: Path) -> None:
    with needed():
        if os.geteuid() != 0:
            raise ServerUnavailable("only root can give a file away")
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values(MISFIT)))
    os.chown(file, 65534, 65533)
    assert run("edit", file, "--preset", "gke-spot", "--write").exit_code == 0
    assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65533)


# -- where the nodes come from --------------------------------------------------------------------


def plan(*resources: Any) -> str:
    child = {"resources": list(resources[1:])}
    module = {"resources": list(resources[:1]), "child_modules": [child]}
    return json.dumps({"format_version": "1.2", "planned_values": {"root_module": module}})


GOOGLE = {
    "address": "google_container_node_pool.spot",
    "type": "google_container_node_pool",
    "values": {
        "name": "spot",
        "node_config": [
            {"spot": True, "taint": [{"key": GKE, "value": "true", "effect": "NO_SCHEDULE"}]}
        ],
    },
}
AWS = {
    "address": "module.eks.aws_eks_node_group.ci",
    "type": "aws_eks_node_group",
    "values": {
        "node_group_name": "ci",
        "capacity_type": "SPOT",
        "taint": [{"key": "ci", "value": None, "effect": "NO_EXECUTE"}],
    },
}
AZURE = {
    "address": "azurerm_kubernetes_cluster_node_pool.ci",
    "type": "azurerm_kubernetes_cluster_node_pool",
    "values": {"name": "ci", "priority": "Spot", "node_taints": ["ci=yes:NoSchedule"]},
}


@pytest.mark.parametrize(
    ("selector", "tolerations", "verdict"),
    [
        ({GKE: "true"}, {f"{GKE}=true": "NoSchedule"}, "fits"),
        ({GKE: "true"}, {}, "misfit"),
        ({"eks.amazonaws.com/capacityType": "SPOT"}, {"ci": "NoExecute"}, "fits"),
        ({"eks.amazonaws.com/nodegroup": "ci"}, {"ci": "NoSchedule"}, "misfit"),
        (
            {"kubernetes.azure.com/scalesetpriority": "spot"},
            {"ci=yes": "", "kubernetes.azure.com/scalesetpriority": ""},
            "fits",
        ),
        ({"kubernetes.azure.com/scalesetpriority": "spot"}, {"ci=yes": ""}, "misfit"),
        ({"pool": "other"}, {}, "unknown"),
    ],
)
def test_a_plan_of_terraform(
    run: Callable[..., Done],
    tmp_path: Path,
    selector: dict[str, str],
    tolerations: dict[str, str],
    verdict: str,
) -> None:
    (tmp_path / "plan.json").write_text(plan(GOOGLE, AWS, AZURE))
    lines = ["[[runners]]", "[runners.kubernetes.node_selector]"]
    lines += [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in selector.items()]
    lines += ["[runners.kubernetes.node_tolerations]"]
    lines += [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in tolerations.items()]
    (tmp_path / "r.toml").write_text("\n".join(lines) + "\n")
    options = (tmp_path / "r.toml", "--terraform-plan", tmp_path / "plan.json")
    assert verdicts(checked(run, *options)) == {"r.toml": verdict}


def test_a_pool_whose_taints_are_known_after_the_apply_only(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    made = json.loads(plan(GOOGLE, AWS))
    unknown = {"node_config": [{"taint": [{"value": True}], "effective_taints": True}]}
    made["resource_changes"] = [
        {"address": GOOGLE["address"], "change": {"after_unknown": unknown}},
        {"address": AWS["address"], "change": {"after_unknown": {"arn": True, "taint": [{}]}}},
    ]
    (tmp_path / "plan.json").write_text(json.dumps(made))
    (tmp_path / "google.toml").write_text(FITS)
    aws = FITS.replace(GKE, "eks.amazonaws.com/nodegroup").replace('"true"', '"ci"')
    (tmp_path / "aws.toml").write_text(aws)
    files = (tmp_path / "google.toml", tmp_path / "aws.toml")
    found = verdicts(checked(run, *files, "--terraform-plan", tmp_path / "plan.json"))
    assert found == {"google.toml": "unknown", "aws.toml": "misfit"}


# -- how it is told -------------------------------------------------------------------------------


def test_formats_for_pipelines(run: Callable[..., Done]) -> None:
    options = ("check", CASES / "helmrelease.yaml", "--preset", "karpenter-spot")
    done = run(*options, "-o", "junit")
    suite = ET.fromstring(done.stdout)  # noqa: S314  # our own
    assert (done.exit_code, suite.get("tests"), suite.get("failures")) == (1, "1", "1")
    assert suite.find("testcase/failure") is not None
    (issue,) = json.loads(run(*options, "-o", "gitlab").stdout)
    assert issue["severity"] == "major"
    assert issue["location"]["path"].endswith("helmrelease.yaml")
    assert issue["location"]["lines"]["begin"] == 20
    line = run(*options, "-o", "github").stdout.splitlines()[0]
    assert line.startswith("::error file=")
    assert ",line=20,title=deadlock::" in line
    assert "\n" not in line


def test_a_folder_and_standard_input(run: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.yaml").write_text("{{- if .Values.gitlab }}\na: b\n{{- end }}\n")
    (tmp_path / "fits.yaml").write_text(yaml.safe_dump(values(FITS)))
    (tmp_path / "other.yaml").write_text("kind: Service\napiVersion: v1\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.yaml").write_text(yaml.safe_dump(values(MISFIT)))
    document = checked(run, tmp_path, "--preset", "gke-spot")
    assert (document["exit_code"], len(document["data"]["runners"])) == (0, 1)
    done = subprocess.run(
        [sys.executable, "-m", "agtool", "ci-nodepool", "check", "-", "--preset", "gke-spot"],
        input=yaml.safe_dump_all([rendered(MISFIT)]),
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    assert (done.returncode, "stdin:" in done.stdout) == (1, True), done.stderr


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff# caf\u00e9\nrunners:\n  config: |\n{textwrap.indent(MISFIT, '    ')}".rstrip(),
        f"\ufeff# caf\u00e9\r\n{MISFIT}".rstrip(),
        f"\ufeff{FITS}",  # where nothing is to change
    ],
)
def test_standard_input_comes_back_to_the_byte(text: str) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    def edited(text: bytes) -> bytes:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "agtool", "ci-nodepool", "edit", "-", "--write"),
                *("--preset", "gke-spot"),
            ],
            input=text,
            capture_output=True,
            env=clean_environment(locale),
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    after = edited(text.encode())
    added = [line for line in after.splitlines() if line not in text.encode().splitlines()]
    assert len(added) == (0 if FITS in text else 2)
    # Without these lines it is what it was, its last line end or the lack of it included.
    rest = after
    for line in added:
        place = rest.index(line)
        before = rest.rfind(b"\n", 0, place)
        rest = rest[:before] + rest[place + len(line) :]
    assert rest.replace(b"\r", b"") == text.encode().replace(b"\r", b"")
    assert edited(after) == after


def test_standard_input_has_no_document_with_its_new_text(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    done = run("edit", "-", "--preset", "gke-spot", "--write", "-o", "json")
    assert done.exit_code == 2
    (error,) = json.loads(done.stdout)["errors"]
    assert (error["code"], "--output json" in error["message"]) == ("usage", True)
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values(MISFIT)))
    for written in (True, False):  # the second time nothing is left to do
        done = run("edit", file, "--preset", "gke-spot", "--write", "-o", "json")
        assert json.loads(done.stdout)["data"]["written"] is written


def test_that_no_runner_was_found(run: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")
    done = run("check", file, "--preset", "gke-spot")
    assert (done.exit_code, done.stdout) == (3, "No runner was found.\n")
    done = run("edit", file, "--preset", "gke-spot")
    assert done.exit_code == 3
    assert "no runner was found" in done.stderr


def test_jobs_that_may_leave_are_a_finding(run: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(
        FITS.replace("    namespace", '    node_selector_overwrite_allowed = ".*"\n    namespace')
    )
    document = checked(run, file, "--preset", "gke-spot")
    assert document["exit_code"] == 1
    assert document["data"]["runners"][0]["findings"][0]["code"] == "jobs-may-leave"


def test_advice_does_not_change_the_exit_code(run: Callable[..., Done]) -> None:
    document = checked(
        run, CASES / "umbrella-values.yaml", "-l", "pool=x", "--taint", "a:NoExecute"
    )
    found = {f["code"] for each in document["data"]["runners"] for f in each["findings"]}
    assert "not-sent" in found


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("check", "nosuch.yaml", "--preset", "gke-spot"), 3, "cannot read nosuch.yaml"),
        (("check", "-", "--nodes", "-"), 2, "only one of the files"),
        (("check", "x.toml", "--taint", "a:NoExecute"), 2, "says nothing without"),
        (("check", "bad.yaml", "--preset", "gke-spot"), 3, "neither YAML nor TOML"),
        (("check", "x.toml", "--nodes", "bad.yaml"), 3, "is not JSON"),
        (("check", "x.toml", "--nodes", "list.json"), 3, "is not a list of nodes"),
        (("check", "x.toml", "--terraform-plan", "list.json"), 3, "has no node pools"),
        (("edit", "x.toml"), 2, "nothing says to which nodes"),
        (("edit", "x.toml", "--preset", "gke-spot", "--runner", "y"), 3, "no runner y in"),
        (("edit", "x.toml", "-l", "a in (b)"), 2, "jobs cannot select nodes by"),
    ],
)
def test_bad_input(
    agtool: Agtool, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "x.toml").write_text(DEFAULT_TEMPLATE)
    (tmp_path / "bad.yaml").write_text("a: [gitlab-runner\n")
    (tmp_path / "list.json").write_text('{"items": [{"kind": "Pod"}]}')
    at = [
        str(tmp_path / each) if each.endswith((".toml", "bad.yaml", ".json")) else each
        for each in arguments
    ]
    done = agtool.run("ci-nodepool", *at, env={"KUBECONFIG": str(tmp_path / "none")})
    assert done.exit_code == code, done
    assert message in done.stderr


def test_secrets_are_not_shown(run: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'{DEFAULT_TEMPLATE}    bearer_token = "glrt-hidden"\n')
    done = run("edit", file, "--preset", "gke-spot")
    assert done.exit_code == 0
    assert "glrt-hidden" not in done.stdout + done.stderr
    assert "bearer_token = ..." in done.stdout


# -- jobs that survive ----------------------------------------------------------------------------


def test_what_helps_jobs_to_survive_is_advised_and_added(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values(FITS)))
    document = checked(run, file, "--preset", "gke-spot")
    assert document["exit_code"] == 0
    advice = document["data"]["runners"][0]["advice"]
    assert [each["code"] for each in advice] == [
        "poll-timeout",
        "disruption-budget",
        "safe-to-evict",
    ]
    assert "runner_interrupted" in run("check", file, "--preset", "gke-spot").stdout
    done = run("edit", file, "--survive", "--write")
    assert done.exit_code == 0, done.stderr
    assert checked(run, file, "--preset", "gke-spot")["data"]["runners"][0]["advice"] == []
    config = yaml.safe_load(file.read_text())["runners"]["config"]
    assert "poll_timeout = 600" in config
    assert f'"{GKE}" = "true"' in config
    assert "already as wanted" in run("edit", file, "--survive").stdout


def test_karpenter_has_an_annotation_of_its_own(run: Callable[..., Done]) -> None:
    document = checked(run, CASES / "helmrelease.yaml", "--preset", "karpenter-spot")
    assert "do-not-disrupt" in [each["code"] for each in document["data"]["runners"][0]["advice"]]


def test_a_setting_that_somebody_chose_is_not_changed(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    file = tmp_path / "r.toml"
    file.write_text(FITS.replace("    namespace", "    poll_timeout = 60\n    namespace"))
    done = run("edit", file, "--survive", "--write")
    assert done.exit_code == 3
    assert "poll_timeout = 600" in done.stderr
