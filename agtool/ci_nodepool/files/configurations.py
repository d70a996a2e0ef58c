"""Where in a YAML document the configurations of runners are. Pure.

Facts: the values of the charts gitlab-runner and gitlab; Flux's HelmRelease, Argo CD's Application
and ApplicationSet, k3s's HelmChart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agtool.ci_nodepool.files.place import Hop, Place
from agtool.ci_nodepool.files.text import documents
from agtool.ci_nodepool.presets import presets_on
from agtool.ci_nodepool.runner import manager
from agtool.core.finding import Finding
from agtool.core.yamltext import NotYaml, Path

CHART = "gitlab-runner"

DEFAULT = """\
[[runners]]
  [runners.kubernetes]
    namespace = "default"
    image = "alpine"
"""
"""What the chart has where its values say no `runners.config`."""


@dataclass(frozen=True)
class Configuration:
    """A runner's configuration in a file.

    Attributes:
        name: of the runner, for people.
        place: of its TOML; None: it stands nowhere, the chart's default holds.
        text: its TOML, with the Go template text of Helm values.
        several: whether it may have several [[runners]], as a config.toml.
        environment: of the manager, as far as the values say it.
        doubts: what besides decides, and is not here.
        findings: settings that have no effect.
        advice: what the values set for the manager, and jobs suffer from.
    """

    name: str
    place: Place | None
    text: str
    several: bool = False
    environment: Mapping[str, str | None] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    advice: tuple[Finding, ...] = ()


def of_manifest(manifest: Mapping[str, Any], document: int, path: Path) -> Iterator[Configuration]:
    """The configurations that a resource carries in its Helm values."""
    kind, group = manifest.get("kind"), str(manifest.get("apiVersion", "")).partition("/")[0]
    spec = manifest.get("spec") or {}
    name = _name(manifest)
    if (kind, group) == ("HelmRelease", "helm.toolkit.fluxcd.io"):
        yield from _of_helm_release(spec, name, document, (*path, "spec"))
    elif (kind, group) == ("Application", "argoproj.io"):
        yield from _of_application(spec, name, document, (*path, "spec"))
    elif (kind, group) == ("ApplicationSet", "argoproj.io"):
        inner = (spec.get("template") or {}).get("spec") or {}
        found = _of_application(inner, name, document, (*path, "spec", "template", "spec"))
        patched = "helm" in str(spec.get("templatePatch") or "")
        yield from (_elsewhere(each, ["templatePatch"]) if patched else each for each in found)
    elif (kind, group) == ("HelmChart", "helm.cattle.io"):
        own = _is_chart(spec.get("chart"))
        yield from _of_text(
            spec.get("valuesContent"), own, name, (Hop(document, (*path, "spec", "valuesContent")),)
        )
    elif (kind, group) == ("Kustomization", "kustomize.config.k8s.io"):
        yield from of_values({"helmCharts": manifest.get("helmCharts")}, "", document, path)
    elif kind == "ConfigMap":
        for key, value in (manifest.get("data") or {}).items():
            if str(key).endswith((".yaml", ".yml")):
                yield from _of_text(value, False, name, (Hop(document, (*path, "data", key)),))


def of_values(
    values: Any, name: str, document: int, path: Path = (), *, own: bool = False, before: Place = ()
) -> Iterator[Configuration]:
    """The configurations in the values of a chart: its own, or of a chart that depends on it.

    Args:
        own: whether they are those of the chart gitlab-runner.
        before: where the text of the values itself stands.
    """
    if not isinstance(values, dict):
        return
    runners = values.get("runners")
    config = runners.get("config") if isinstance(runners, dict) else None
    if own or isinstance(config, str):
        place = (*before, Hop(document, (*path, "runners", "config")))
        yield _of_chart(values, runners if isinstance(runners, dict) else {}, name, place)
        return
    for key, value in values.items():
        label = f"{name}.{key}" if name else str(key)
        # Of a kustomization or a helmfile, values are in a list.
        items = enumerate(value) if isinstance(value, list) else [("", value)]
        for number, item in items:
            where = (*path, key) if number == "" else (*path, key, number)
            if isinstance(item, dict) and not _is_off(item):
                yield from of_values(item, label, document, where, own=key == CHART, before=before)


def _of_chart(
    values: Mapping[str, Any], runners: Mapping[str, Any], name: str, place: Place
) -> Configuration:
    """What the values of the chart gitlab-runner say."""
    config = runners.get("config")
    text = config if isinstance(config, str) else ""
    doubts = []
    if runners.get("configPath"):
        doubts.append(f"its template is in {runners['configPath']} (runners.configPath)")
    name = name or CHART
    return Configuration(
        name,
        place if text else None,
        text or DEFAULT,
        environment=_environment(values),
        doubts=tuple(doubts),
        findings=tuple(_idle(values, runners, name)),
        advice=tuple(_of_manager(values, f"runner {name}")),
    )


def _of_manager(values: Mapping[str, Any], subject: str) -> Iterator[Finding]:
    """What the values take from the manager; what they do not say the chart does well."""
    where = "In the Helm values:"
    if "terminationGracePeriodSeconds" in values:
        yield from manager.of_grace(values["terminationGracePeriodSeconds"], subject, where)
    rbac = values.get("rbac")
    rules = rbac.get("rules") if isinstance(rbac, dict) else None
    if isinstance(rules, list):
        yield from manager.of_rights(rules, subject, f"{where} rbac.rules")


def _environment(values: Mapping[str, Any]) -> dict[str, str | None]:
    """The variables that the values give the manager."""
    found: dict[str, str | None] = {}
    for each in values.get("envVars") or ():
        if isinstance(each, dict) and "name" in each:
            found[str(each["name"])] = str(each["value"]) if "value" in each else None
    extra = values.get("extraEnv") or {}
    if isinstance(extra, dict):
        found.update({str(k): str(v) for k, v in extra.items()})
    hidden = values.get("extraEnvFrom") or {}
    if isinstance(hidden, dict):
        found.update(dict.fromkeys(map(str, hidden)))
    if executor := (values.get("runners") or {}).get("executor"):
        found["RUNNER_EXECUTOR"] = str(executor)
    return found


def _idle(values: Mapping[str, Any], runners: Mapping[str, Any], name: str) -> Iterator[Finding]:
    subject = f"runner {name}"
    for key in ("nodeSelector", "nodeTolerations"):
        if runners.get(key):
            yield Finding(
                "ignored-setting",
                f"runners.{key} of {subject} is ignored by every chart since 0.58",
                "Write it into runners.config. Print the lines: agtool ci-nodepool emit helm",
                subject,
            )
    selector = values.get("nodeSelector")
    for preset in presets_on([selector] if isinstance(selector, dict) else []):
        yield Finding(
            "wrong-knob",
            f"{preset.label} is in the top-level nodeSelector of {subject}: that moves the runner "
            "itself, and not its jobs",
            "Remove it there; that of the jobs is in runners.config.",
            subject,
        )


def _of_helm_release(
    spec: Mapping[str, Any], name: str, document: int, path: Path
) -> Iterator[Configuration]:
    chart = ((spec.get("chart") or {}).get("spec") or {}).get("chart")
    values = spec.get("values") or {}
    own = _is_chart(chart)
    found = list(of_values(values, name, document, (*path, "values"), own=own))
    others = spec.get("valuesFrom") or ()
    for each in found:
        yield each if each.place or not others else _elsewhere(each, _sources(others))


def _of_application(
    spec: Mapping[str, Any], name: str, document: int, path: Path
) -> Iterator[Configuration]:
    sources = [((*path, "source"), spec.get("source") or {})]
    sources += [
        ((*path, "sources", number), each) for number, each in enumerate(spec.get("sources") or ())
    ]
    for where, source in sources:
        helm = source.get("helm") or {}
        own = _is_chart(source.get("chart"))
        given = helm.get("valuesObject")
        if given:
            found = list(
                of_values(given, name, document, (*where, "helm", "valuesObject"), own=own)
            )
        elif helm.get("values"):
            place = (Hop(document, (*where, "helm", "values")),)
            found = list(_of_text(helm["values"], own, name, place))
        else:
            found = list(of_values({}, name, document, where, own=own))
        others = [f"the file {each}" for each in helm.get("valueFiles") or ()]
        parameters = [
            str(each.get("name"))
            for each in (*(helm.get("parameters") or ()), *(helm.get("fileParameters") or ()))
            if isinstance(each, dict)
        ]
        over = [p for p in parameters if p.endswith(("runners.config", "runners.configPath"))]
        for each in found:
            if over:
                yield _elsewhere(each, [f"the parameter {over[0]}"])
            else:
                yield each if each.place or not others else _elsewhere(each, others)


def _of_text(text: Any, own: bool, name: str, place: Place) -> Iterator[Configuration]:
    """The configurations in values that are a string of YAML themselves."""
    if not isinstance(text, str):
        return
    try:
        found = list(documents(text))
    except NotYaml:
        return
    for number, each in enumerate(found):
        yield from of_values(each.data, name, number, own=own, before=place)


def _elsewhere(found: Configuration, places: list[str]) -> Configuration:
    doubt = f"its values also come from {', '.join(places)}: check the manifests that are rendered"
    return replace(found, doubts=(*found.doubts, doubt))


def _sources(references: Any) -> list[str]:
    return [f"the {each.get('kind')} {each.get('name')}" for each in references]


def _is_chart(chart: Any) -> bool:
    return str(chart or "").rstrip("/").rpartition("/")[2] == CHART


def _is_off(values: Mapping[str, Any]) -> bool:
    return values.get("enabled") is False or values.get("install") is False


def _name(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata") or {}
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata.get('name')}" if namespace else str(metadata.get("name"))
