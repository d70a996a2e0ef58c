"""The reference says what --help says, and the manifests are what the how-to says they are."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line
from kubernetes import client

from agtool.core import errors
from agtool.core.duration import parse_duration
from agtool.migrate_once import model
from agtool.migrate_once.engines import runs

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/migrate-once.md").read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs/how-to/run-migrations-once.md").read_text(encoding="utf-8")
EXPLANATION = (ROOT / "docs/explanation/lock.md").read_text(encoding="utf-8")
MANIFEST = ROOT / "docs/how-to/manifests/migrate-once.yaml"
WAITING = ROOT / "docs/how-to/manifests/migrate-once-wait.yaml"


# -- options, environment variables, exit codes -----------------------------------------------


class Option(NamedTuple):
    """What a user can set: its default as text, and its environment variables in order."""

    default: str
    variables: tuple[str, ...]


def agtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `agtool migrate-once ARGUMENTS...`, with none of the person's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AGTOOL_", "DATABASE_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "agtool", "migrate-once", *map(str, arguments)],
        env={**kept, "COLUMNS": "200", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def help_text() -> str:
    """Give what `agtool migrate-once --help` prints."""
    done = agtool("--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


def options_of_help(text: str) -> dict[str, Option]:
    """The options in the text of --help, without --help itself."""
    found = {}
    listed = text.partition("\nOptions:\n")[2]
    for block in re.split(r"\n(?=  -)", f"\n{listed}")[1:]:
        words = " ".join(block.split())
        name = re.match(r"(?:-[A-Za-z], )?(--[a-z-]+)", words)
        assert name, words
        # "[default: x]", or "[env var: Y; default: x]", or "[default: x; 1<=x<=10000]"
        default = re.search(r"default: ([^\]]+?)(?:; 1<=x[^\]]*)?\]", words)
        variables = re.findall(r"\b(?:(?:[A-Z]+_)+[A-Z]+|PG[A-Z]+)\b", words)
        found[name[1]] = Option(default[1] if default else "", tuple(variables))
    del found["--help"]
    return found


def rows(text: str, heading: str) -> Iterator[list[str]]:
    """Give the cells of the tables' rows below a heading, up to the next heading."""
    section = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    for line in section.splitlines():
        if line.startswith("|") and not re.match(r"\|(-+\|)+$", line):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("name", ["README.md", "how-to", "reference"])
def test_no_other_option_or_variable_is_mentioned(help_text: str, name: str) -> None:
    text = {"how-to": HOW_TO, "reference": REFERENCE}.get(name) or (ROOT / name).read_text(
        encoding="utf-8"
    )
    known = options_of_help(help_text)
    text = without_words(text)
    # Those of a command line end where the wrapped command begins.
    lines = [line.partition(" -- ")[0] for line in re.findall(r"agtool migrate-once( .*)", text)]
    spans = re.findall(r"`(--[a-z].*?)`", text)
    used = re.findall(r"(?<!\S)--[a-z][a-z-]*", "\n".join([*lines, *spans]))
    assert used
    assert set(used) <= {*known, "--help"}
    variables = {variable for option in known.values() for variable in option.variables}
    assert set(re.findall(r"\bAGTOOL_[A-Z_]+", text)) <= {*variables, "AGTOOL_DEBUG"}


def without_words(text: str) -> str:
    """A text without what it says of `inject` and `status`, which have options of their own."""
    text = text.partition("\n## Inject\n")[0]
    return re.sub(r"agtool migrate-once (inject|status ).*", "", text)


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/inject.md", "docs/how-to/any-image.md"])
def test_inject_has_the_options_that_are_mentioned(page: str) -> None:
    known = set(options_of_help(agtool("inject", "--help").stdout))
    text = re.sub(r"\\\n", "", (ROOT / page).read_text(encoding="utf-8"))
    lines = [each.partition(" -- ")[0] for each in re.findall(r"migrate-once inject(.*)", text)]
    used = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", "\n".join(lines)))
    assert used
    assert used <= known


def test_reference_has_the_exit_codes_of_help(help_text: str) -> None:
    told = {int(code) for code in re.findall(r"\b(1\d\d):", help_text)}
    assert told == {
        errors.TIMED_OUT,
        errors.WRAPPER_FAILED,
        errors.CANNOT_EXECUTE,
        errors.NOT_FOUND,
    }
    codes = [cells[0] for cells in rows(REFERENCE, "Exit codes") if cells[0] != "code"]
    with_command = codes[: codes.index(str(errors.PIPE_CLOSED)) + 1]
    assert set(map(str, told)) <= set(with_command)

    kinds = (errors.ConfigurationError, errors.UnreachableError, errors.DeniedError)
    # A usage error's is that of a wrapping command in all forms.
    own = {0, *(kind.exit_code for kind in kinds), errors.BUG, errors.WRAPPER_FAILED}
    assert codes[len(with_command) :] == [str(code) for code in sorted(own)]


# -- examples ---------------------------------------------------------------------------------


def examples(text: str, language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def shape(value: object) -> object:
    """The keys of a JSON document, in their order, and the types of its values."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def test_json_examples_have_the_shape_of_the_real_thing(tmp_path: Path) -> None:
    result, status = map(json.loads, examples(REFERENCE, "json"))
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    file = tmp_path / "result"
    command = ("--key", "1.4.2", "--result-file", file, "--", sys.executable, "-c", "")
    done = agtool("--database-url", url, *command)
    assert done.returncode == 0, done.stderr
    assert shape(json.loads(file.read_text(encoding="utf-8"))) == shape(result)

    done = agtool("--database-url", url, "--status", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert shape(json.loads(done.stdout)) == shape(status)


def words(sql: str) -> list[str]:
    """SQL without its layout and its quotation marks."""
    return re.findall(r"\w+|[^\w\s]", sql.replace('"', ""))


@pytest.mark.parametrize("text", [REFERENCE, HOW_TO], ids=["reference", "how-to"])
def test_ddl_is_agtools_own(text: str) -> None:
    def never(value: object) -> datetime:
        raise AssertionError(value)

    dialect = runs.Dialect('"', "%s", "timestamptz", "now()", str, never)
    ddl = runs.RunTable(model.TableName("agtool", "install_locks_runs"), dialect, "true").ddl
    told = [statement for block in examples(text, "sql") for statement in block.split(";")]
    assert words(ddl) in [words(statement) for statement in told]


def test_figures_of_the_explanation_are_the_codes() -> None:
    figures = {
        "HEARTBEAT": model.HEARTBEAT,
        "REPLY": model.REPLY,
        "NOTICE": model.NOTICE,
        "MARGIN": model.MARGIN,
        "time_to_die": model.time_to_die(10),
    }
    told = {cells[0].strip("`"): cells[1] for cells in rows(EXPLANATION, "The figures")}
    assert {name: told[name] for name in figures} == {
        name: f"{seconds:.0f} s" for name, seconds in figures.items()
    }


# -- manifests --------------------------------------------------------------------------------


def documents(manifest: Path = MANIFEST) -> dict[str, Any]:
    """The manifest's objects by kind."""
    return {
        document["kind"]: document
        for document in yaml.safe_load_all(manifest.read_text(encoding="utf-8"))
    }


def unknown_fields(value: object, kind: str, path: str) -> list[str]:
    """The fields that Kubernetes does not know, or whose values have another type.

    kind: a type as the Kubernetes client writes it: str, List[V1EnvVar], Dict[str, str], ...
    """
    if inner := re.fullmatch(r"List\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{path} is no list"]
        items = [unknown_fields(item, inner[1], f"{path}[{i}]") for i, item in enumerate(value)]
        return [problem for problems in items for problem in problems]
    if not kind.startswith("V1"):
        expected = {"str": str, "int": int, "bool": bool, "object": object}.get(kind, dict)
        found = [] if isinstance(value, expected) else [f"{path} is no {kind}"]
        if kind == "Dict[str, str]" and isinstance(value, dict):
            found += [f"{path}.{k} is no str" for k, v in value.items() if not isinstance(v, str)]
        return found
    if not isinstance(value, dict):
        return [f"{path} is no {kind}"]
    model_of_kind = getattr(client, kind)
    names = {theirs: ours for ours, theirs in model_of_kind.attribute_map.items()}
    found = [f"{path}.{name} is unknown" for name in value if name not in names]
    for name in value.keys() & names.keys():
        inner_kind = model_of_kind.openapi_types[names[name]]
        found += unknown_fields(value[name], inner_kind, f"{path}.{name}")
    return found


def test_unknown_fields_are_found() -> None:
    deployment = documents()["Deployment"]
    deployment["spec"]["replicaz"] = 3
    pod = deployment["spec"]["template"]
    pod["metadata"]["annotations"]["migrate-key"] = 1.4  # a number in YAML, refused by Kubernetes
    pod["spec"]["initContainers"][0]["env"][0]["valueFrom"] = {"secretRef": {}}
    assert sorted(unknown_fields(deployment, "V1Deployment", "")) == [
        ".spec.replicaz is unknown",
        ".spec.template.metadata.annotations.migrate-key is no str",
        ".spec.template.spec.initContainers[0].env[0].valueFrom.secretRef is unknown",
    ]


@pytest.mark.parametrize("manifest", [MANIFEST, WAITING], ids=lambda path: path.stem)
def test_manifest_has_only_what_kubernetes_knows(manifest: Path) -> None:
    found = documents(manifest)
    assert set(found) == {"Secret", "Deployment"}
    for kind, document in found.items():
        assert unknown_fields(document, f"V1{kind}", kind) == []


def test_manifest_holds_together() -> None:
    found = documents()
    deployment = found["Deployment"]["spec"]
    template = deployment["template"]
    pod = template["spec"]
    (migrate,), (shop,) = pod["initContainers"], pod["containers"]
    assert deployment["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert migrate["image"] == shop["image"] == template["metadata"]["annotations"]["migrate-key"]
    for container in (migrate, shop):
        secret = next(e for e in container["env"] if e["name"] == "DATABASE_URL")
        reference = secret["valueFrom"]["secretKeyRef"]
        assert reference["name"] == found["Secret"]["metadata"]["name"]
        assert reference["key"] in found["Secret"]["stringData"]


def test_manifest_is_what_the_how_to_claims(help_text: str) -> None:
    deployment = documents()["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    (migrate,) = pod["initContainers"]
    assert migrate["command"][:3] == ["agtool", "migrate-once", "--"]
    settings = {e["name"]: e.get("value") or e["valueFrom"] for e in migrate["env"]}
    known = {n for option in options_of_help(help_text).values() for n in option.variables}
    assert settings.keys() <= {*known, "POD_NAME"}
    assert settings["AGTOOL_KEY"] == {
        "fieldRef": {"fieldPath": "metadata.annotations['migrate-key']"}
    }
    assert settings["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert settings["AGTOOL_RESULT_FILE"] == "/dev/termination-log"
    assert "requests" in migrate["resources"]
    waits = parse_duration(settings["AGTOOL_WAIT_TIMEOUT"])
    assert waits < deployment["progressDeadlineSeconds"]
    # A deleted pod's command has at least as long to end as one that lost its lock.
    assert pod["terminationGracePeriodSeconds"] > model.time_to_die(10)


def test_the_pods_that_wait_hold_together_with_those_that_migrate(help_text: str) -> None:
    found, migrating = documents(WAITING), documents()
    deployment = found["Deployment"]["spec"]
    assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]
    (wait,) = deployment["template"]["spec"]["initContainers"]
    assert wait["command"] == ["agtool", "migrate-once", "--wait"]
    settings = {e["name"]: e.get("value") or e["valueFrom"] for e in wait["env"]}
    known = {n for option in options_of_help(help_text).values() for n in option.variables}
    assert settings.keys() <= {*known, "POD_NAME"}
    template = migrating["Deployment"]["spec"]["template"]
    (migrate,) = template["spec"]["initContainers"]
    theirs = {e["name"]: e.get("value") for e in migrate["env"]}
    assert settings["AGTOOL_NAME"] == theirs["AGTOOL_NAME"]
    assert settings["AGTOOL_KEY"] == template["metadata"]["annotations"]["migrate-key"]
    assert settings["DATABASE_URL"]["secretKeyRef"] == {
        "name": found["Secret"]["metadata"]["name"],
        "key": "url",
    }
    assert parse_duration(settings["AGTOOL_WAIT_TIMEOUT"]) < deployment["progressDeadlineSeconds"]


@pytest.mark.parametrize("manifest", [MANIFEST, WAITING], ids=lambda path: path.stem)
def test_how_to_shows_the_manifests_init_container(manifest: Path) -> None:
    (migrate,) = documents(manifest)["Deployment"]["spec"]["template"]["spec"]["initContainers"]
    shown = [yaml.safe_load(block) for block in examples(HOW_TO, "yaml")]
    assert [migrate] in [block.get("initContainers") for block in shown if isinstance(block, dict)]
