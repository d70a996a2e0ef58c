"""The runners that files hold: manifests, Helm values, TOML. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

from agtool.ci_nodepool.files.configurations import Configuration, of_manifest, of_values
from agtool.ci_nodepool.files.objects import Objects
from agtool.ci_nodepool.files.place import Hop, Place
from agtool.ci_nodepool.files.template import decides, masked
from agtool.ci_nodepool.files.text import File
from agtool.ci_nodepool.runner import manager
from agtool.ci_nodepool.runner.find import find
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.model import TEMPLATE, Runner
from agtool.ci_nodepool.runner.read import jobs, jobs_with
from agtool.core.errors import ConfigurationError
from agtool.core.finding import Finding
from agtool.core.kube.errors import NotFoundError
from agtool.core.text import some
from agtool.core.yamltext import NotYaml, Path


@dataclass(frozen=True)
class Found:
    """A runner in a file.

    Attributes:
        file: where its configuration stands.
        jobs: of each of its [[runners]].
        configuration: as it stands there.
    """

    file: File
    jobs: tuple[Jobs, ...]
    configuration: Configuration

    @property
    def name(self) -> str:
        """Of the runner, for people."""
        return self.configuration.name

    @property
    def place(self) -> Place | None:
        """Of its TOML in the file; None: it stands nowhere."""
        return self.configuration.place

    @property
    def text(self) -> str:
        """Its TOML."""
        return self.configuration.text


class _Origin(NamedTuple):
    """Where a manifest was read."""

    file: File
    document: int
    path: Path


def read(files: Iterable[File], namespace: str) -> list[Found]:
    """The runners of these files, which belong together: a Deployment and its ConfigMap, say.

    Args:
        namespace: of manifests that say none.

    Raises:
        ConfigurationError: a file is neither YAML nor TOML, or a manifest has not the form that
            Kubernetes gives it.
    """
    objects = Objects(namespace)
    origins: dict[tuple[str, str, str], _Origin] = {}
    found: list[Found] = []
    resources: list[Mapping[str, Any]] = []
    names = []
    for file in files:
        names.append(file.name)
        if _is_toml(file):
            name = PurePath(file.name).name
            found.append(_of(Configuration(name, (), file.text, several=True), file))
            continue
        for number, data, path in _documents(file):
            with _well_formed(file.name):
                if not ("kind" in data and "apiVersion" in data):
                    found += [_of(each, file) for each in of_values(data, "", number, path)]
                    continue
                found += [_of(each, file) for each in of_manifest(data, number, path)]
                metadata = data.get("metadata") or {}
                place = metadata.get("namespace") or namespace
                key = (data["kind"], place, metadata.get("name", ""))
                operated = str(data["apiVersion"]).startswith("apps.gitlab.com/")
                if data["kind"] == "Runner" and operated:
                    resources.append(data)
                origins[key] = _Origin(file, number, path)
                objects.add(data)
    with _well_formed(some(names)):
        return [*found, *_of_objects(objects, origins, resources)]


@contextmanager
def _well_formed(name: str) -> Iterator[None]:
    """Raise ConfigurationError where a text, say, stands for an object: files may have anything.

    In a cluster it is the API server that refuses it, before anybody reads it.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{name}: a manifest or its values have another form than they should",
            hint=f"kubectl apply --dry-run=server -f {name} tells where, or helm template.",
        ) from error


def _is_toml(file: File) -> bool:
    return file.name.endswith(".toml") or bool(
        re.search(r"^\ufeff?[ \t]*\[\[?[ \t]*runners\b", file.text, re.MULTILINE)
        and not re.search(r"^\ufeff?(?:[\w.-]+:|[\"'{?])", file.text, re.MULTILINE)
    )


def _documents(file: File) -> Iterator[tuple[int, dict[str, Any], Path]]:
    """The documents of a file that are mappings, those of a List one by one."""
    try:
        documents = file.documents
    except NotYaml as error:
        raise ConfigurationError(
            f"{file.name} is neither YAML nor TOML: {error}",
            hint="Of a chart, edit its values, and check what helm template prints."
            if "{{" in file.text
            else "Correct it there, or name the files of the runners without it.",
            subject=file.name,
        ) from error
    for number, document in enumerate(documents):
        data = document.data
        whole = isinstance(data, dict) and not str(data.get("kind", "")).endswith("List")
        items = [data] if whole else (data.get("items") or []) if isinstance(data, dict) else []
        for place, item in enumerate(items):
            if isinstance(item, dict):
                yield number, item, () if whole else ("items", place)


def _of(configuration: Configuration, file: File) -> Found:
    """A runner of which only its configuration is known."""
    return Found(file, tuple(jobs_in(configuration)), configuration)


def jobs_in(configuration: Configuration) -> list[Jobs]:
    """The jobs of a configuration with Go template text, as far as that does not decide."""
    executor = configuration.environment.get("RUNNER_EXECUTOR") or "kubernetes"
    if executor != "kubernetes":
        return []
    name, text = configuration.name, configuration.text

    def read_as(filling: str) -> list[Jobs]:
        whole = masked(text, filling)
        return jobs_with(name, whole, configuration.environment, several=configuration.several)

    found = read_as("x")
    doubts = [*configuration.doubts]
    if decides(text):
        doubts.append("lines of Go template text decide what else is in its configuration")
    elif "{{" in text and [each.pod for each in found] != [each.pod for each in read_as("y")]:
        doubts.append("Go template text decides where they run")
    return [
        each.with_doubts(*doubts)
        .with_findings(*configuration.findings)
        .with_advice(*configuration.advice)
        for each in found
    ]


def _of_objects(
    objects: Objects,
    origins: Mapping[tuple[str, str, str], _Origin],
    resources: Sequence[Mapping[str, Any]],
) -> Iterator[Found]:
    """The runners of manifests, as in a cluster; and configurations that none of them uses."""
    used = set()
    for runner in find(objects, None):
        kind = runner.kept.place.kind if runner.kept and runner.kept.place else "ConfigMap"
        name = (runner.config_map.get("metadata") or {}).get("name", "")
        key = (kind, runner.namespace, name)
        used.add(key)
        account = runner.pod.get("serviceAccountName") or "default"
        rules = objects.rules(runner.namespace, account)
        lacking = manager.of_rights(rules, runner.subject, "In the rules of its Role:")
        yield _of_runner(runner, origins.get(key), _origin_of(runner, origins), kind, lacking)
    for resource in resources:
        yield from _of_operator(objects, origins, resource, used)
    for key, origin in origins.items():
        if key[0] in ("ConfigMap", "Secret") and key not in used:
            yield from _unused(objects, key, origin)


def _origin_of(runner: Runner, origins: Mapping[tuple[str, str, str], _Origin]) -> _Origin:
    kind = runner.deployment["kind"]
    return origins[kind, runner.namespace, runner.name]


def _of_runner(
    runner: Runner,
    origin: _Origin | None,
    workload: _Origin,
    kind: str,
    lacking: Iterable[Finding] = (),
) -> Found:
    text = runner.data.get(runner.key, "") if runner.key else ""
    several = bool(runner.kept and not runner.kept.template)
    place = _place(origin, kind, runner.key) if origin and text else None
    own = Configuration(str(runner), place, text, several, runner.environment)
    more = list(lacking)
    made = tuple(each.with_advice(*more) for each in jobs(runner))
    return Found((origin or workload).file, made, own)


def _place(origin: _Origin, kind: str, key: str) -> Place:
    field = "data"
    if kind == "Secret":
        field = "stringData"
    return (Hop(origin.document, (*origin.path, field, key)),)


def _of_operator(
    objects: Objects,
    origins: Mapping[tuple[str, str, str], _Origin],
    resource: Mapping[str, Any],
    used: set[tuple[str, str, str]],
) -> Iterator[Found]:
    """The Operator's Runner, whose Deployment is in no file."""
    metadata = resource.get("metadata") or {}
    namespace = metadata.get("namespace") or objects.namespace
    named = (resource.get("spec") or {}).get("config", "")
    deployment = {
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": metadata.get("name", "")},
        "spec": {"template": {"spec": {"containers": []}}},
    }
    config_map = {}
    if named:
        try:
            config_map = objects.get(f"/api/v1/namespaces/{namespace}/configmaps/{named}")
        except NotFoundError:
            config_map = {}
    runner = Runner(deployment, config_map, str(metadata.get("name", "")))
    key = ("ConfigMap", namespace, named)
    used.add(key)
    own = origins["Runner", namespace, str(metadata.get("name", ""))]
    if named and not config_map:
        doubt = f"its configuration is in the ConfigMap {named}, which is not in the files"
        doubtful = (Jobs(str(runner)).with_doubts(doubt),)
        yield Found(own.file, doubtful, Configuration(str(runner), None, ""))
    elif not named:
        yield _of(Configuration(str(runner), None, ""), own.file)
    else:
        yield _of_runner(runner, origins.get(key), own, "ConfigMap")


def _unused(objects: Objects, key: tuple[str, str, str], origin: _Origin) -> Iterator[Found]:
    """A configuration in a ConfigMap or a Secret whose runner is in no file."""
    kind, namespace, name = key
    try:
        data = objects.get(f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}").get("data")
    except NotFoundError:
        return
    for file_name, text in (data or {}).items():
        if kind == "Secret" or not isinstance(text, str) or not str(file_name).endswith(".toml"):
            continue
        if not re.search(r"^[ \t]*\[\[[ \t]*runners[ \t]*\]\]", text, re.MULTILINE):
            continue
        configuration = Configuration(
            f"{namespace}/{name}",
            _place(origin, kind, file_name),
            text,
            several=file_name != TEMPLATE,
        )
        yield _of(configuration, origin.file)
