# ruff: noqa: E501  # a text stays in one piece
"""Manifests in all the forms that people and programs write them in, made of a number."""

from __future__ import annotations

import json
from random import Random
from typing import Any, NamedTuple

KINDS = {
    "Deployment": ("apps/v1", ("template",)),
    "StatefulSet": ("apps/v1", ("template",)),
    "DaemonSet": ("apps/v1", ("template",)),
    "Job": ("batch/v1", ("template",)),
    "CronJob": ("batch/v1", ("jobTemplate", "spec", "template")),
    "Rollout": ("argoproj.io/v1alpha1", ("template",)),
}

TEXTS = (
    ["plain", "two words", "a: b", "# no comment", "line\nbreak\n", "  led\n\nand blank\n\n", "--- x",
     "1e3", "0644", "yes", "12:30:45", "2026-01-02", "", "tab\there", "ünï ☃ 😀", "- dash", "{{ x }}",
     "'single'", '"double"', "*star", "&and", "\\n", "{", "trail ", "[x", "null"]
)  # fmt: skip


class Named(NamedTuple):
    """A value behind an anchor, or in place of it its name."""

    name: str
    value: Any = None


class Stream(NamedTuple):
    """A text, and the documents that it means.

    Attributes:
        wrap: the init container that can be wrapped; empty: none.
        has_command: whether the manifest says what it runs.
    """

    text: str
    kind: str
    wrap: str
    has_command: bool


def _maybe(draw: Random, one_in: int = 3) -> bool:
    return draw.randrange(one_in) == 0


def container(draw: Random, name: str) -> dict[str, Any]:
    """A container with an image, a command and more."""
    made: dict[str, Any] = {"name": name, "image": draw.choice(["a/b:1", "r:5000/c:v2"])}
    if _maybe(draw, 2):
        made["command"] = ["run", draw.choice(TEXTS), "--flag"]
    elif _maybe(draw):
        made["command"] = draw.choice([None, []])
    if _maybe(draw, 2):
        made["env"] = [
            {"name": "DATABASE_URL", "value": draw.choice(TEXTS)},
            {"name": "B", "value": "x"},
        ]
    elif _maybe(draw):
        made["env"] = draw.choice([None, []])
    if _maybe(draw):
        made["args"] = [draw.choice(TEXTS)]
    if _maybe(draw):
        made["resources"] = {"limits": {"cpu": draw.choice([1, "500m", 1.5])}}
    if _maybe(draw):
        made["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    elif _maybe(draw):
        made["volumeMounts"] = draw.choice([None, []])
    if _maybe(draw):
        made["securityContext"] = draw.choice([{}, {"runAsUser": 1000}])
    items = list(made.items())
    return dict(draw.sample(items, len(items)) if _maybe(draw) else items)


def workload(draw: Random) -> tuple[dict[str, Any], str, bool]:  # noqa: C901  # one branch a choice
    """A workload, the name of an init container, and whether that has a command."""
    kind = draw.choice(sorted(KINDS))
    version, steps = KINDS[kind]
    spec: dict[str, Any] = {}
    wrap = ""
    form = draw.choice(["absent", "null", "empty", "one", "two"])
    inits: Any = {"null": None, "empty": [], "one": [container(draw, "first")]}.get(form)
    if form == "two":
        inits = [container(draw, "first"), container(draw, "second")]
    has_command = False
    if inits:
        chosen = draw.choice(inits)
        wrap, has_command = chosen["name"], bool(chosen.get("command"))
    main = container(draw, "main")
    if main.get("env") and _maybe(draw):
        main["env"] = Named("env", main["env"])
        spec["hostAliases"] = []
    parts: list[tuple[str, Any]] = [("containers", [main])]
    if isinstance(main.get("env"), Named):
        parts[0][1].append({"name": "agent", "image": "x:1", "env": Named("env")})
    if form != "absent":
        parts.append(("initContainers", inits))
    volumes = draw.choice(["absent", "null", "empty", "one"])
    if volumes != "absent":
        value = {"null": None, "empty": [], "one": [{"name": "data", "emptyDir": {}}]}[volumes]
        parts.append(("volumes", value))
    if _maybe(draw):
        parts.append(("nodeSelector", {"a": draw.choice(TEXTS)}))
    anchored = isinstance(main.get("env"), Named)
    spec = dict(parts if anchored else draw.sample(parts, len(parts)))
    inner: dict[str, Any] = {"spec": spec}
    if _maybe(draw, 2):
        inner = {"metadata": {"labels": {"app": draw.choice(TEXTS)}}, **inner}
    for step in reversed(steps):
        inner = {step: inner}
    metadata: dict[str, Any] = {"name": "shop"}
    notes = draw.choice(["absent", "null", "empty", "one"])
    if notes != "absent":
        metadata["annotations"] = {"null": None, "empty": {}, "one": {"a/b": draw.choice(TEXTS)}}[
            notes
        ]
    body = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": inner}
    body = dict(draw.sample(list(body.items()), len(body)) if _maybe(draw) else body)
    return body, wrap, has_command


class Writer:
    """Writes values in forms that are drawn."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.step = draw.choice([2, 4])
        self.dash = draw.choice([0, 2])
        self.noise = _maybe(draw, 2)

    def comments(self, indent: int) -> list[str]:
        if not self.noise or not _maybe(self.draw, 4):
            return []
        shift = self.draw.choice([0, indent, indent + 2])
        return self.draw.choice(
            [["" * shift], [" " * shift + "# note - a: *b &c"], [" " * shift + "#\ttab", ""]]
        )

    def trailing(self) -> str:
        return self.draw.choice(["", "  # why: x", " #"]) if self.noise else ""

    def scalar(self, value: Any, *, flow: bool = False) -> str:
        if value is None:
            return self.draw.choice(["null", "~"] if flow else ["null", "~", ""])
        if not isinstance(value, str):
            return json.dumps(value)
        quoted = "'" + value.replace("'", "''") + "'"
        forms = [json.dumps(value, ensure_ascii=False)]
        if "\n" not in value and "\t" not in value:
            forms.append(quoted)
        if (value.isalpha() and value.isascii() and value not in ("null", "yes")) or value in (
            "1e3",
            "a/b:1",
            "12:30:45",
        ):
            forms.append(value)
        return self.draw.choice(forms)

    def block_scalar(self, value: str, indent: int) -> tuple[str, list[str]] | None:
        lines = value.split("\n")
        plain = value and lines[0][:1] not in ("", " ") and value.isprintable() is False
        if not plain or "\t" in value or not value.endswith("\n") or not _maybe(self.draw, 2):
            return None
        style = "|+" if value.endswith("\n\n") else self.draw.choice(["|", "|+"])
        return style, [" " * indent + line if line else "" for line in lines[:-1]]

    def flow(self, value: Any, indent: int, *, wide: bool) -> str:
        if isinstance(value, Named):
            inner = self.flow(value.value, indent, wide=wide) if value.value is not None else ""
            return f"&{value.name} {inner}" if inner else f"*{value.name} "
        if not isinstance(value, dict | list):
            return self.scalar(value, flow=True)
        gap = "\n" + " " * (indent + self.step) if wide else self.draw.choice(["", " "])
        end = "\n" + " " * indent if wide and value else ""
        parts = [
            self.flow(each, indent + self.step, wide=wide)
            for each in (value.values() if isinstance(value, dict) else value)
        ]
        if isinstance(value, dict):
            parts = [
                f"{json.dumps(k) if _maybe(self.draw) else k}: {v}"
                for k, v in zip(value, parts, strict=True)
            ]
        text = ("," + (gap or " ")).join(parts)
        brackets = "{}" if isinstance(value, dict) else "[]"
        return f"{brackets[0]}{gap if value else gap.strip(chr(10))}{text}{end}{brackets[1]}"

    def below(self, value: Any, indent: int, column: int) -> tuple[str, list[str]]:  # noqa: PLR0911  # a line for each form
        """What stands behind a colon, and the lines below. column: of nested mappings."""
        if isinstance(value, Named):
            if value.value is None:
                return f" *{value.name}", []
            first, rest = self.below(value.value, indent, column)
            return f" &{value.name}{first}", rest
        if isinstance(value, dict | list):
            if not value or _maybe(self.draw, 6):
                wide = bool(value) and _maybe(self.draw, 2)
                first, *rest = self.flow(value, indent + self.step, wide=wide).split("\n")
                return f" {first}{self.trailing() if not rest else ''}", rest
            if isinstance(value, list):
                return self.trailing(), self.items(value, indent + self.dash)
            return self.trailing(), self.mapping(value, column)
        if isinstance(value, str) and (found := self.block_scalar(value, column)):
            return f" {found[0]}", found[1]
        text = self.scalar(value)
        return (f" {text}" if text else "") + self.trailing(), []

    def mapping(self, value: dict[str, Any], indent: int) -> list[str]:
        lines: list[str] = []
        for key, each in value.items():
            first, rest = self.below(each, indent, indent + self.step)
            lines += [*self.comments(indent), f"{' ' * indent}{key}:{first}", *rest]
        return lines

    def items(self, value: list[Any], indent: int) -> list[str]:
        lines: list[str] = []
        for each in value:
            lines += self.comments(indent)
            if isinstance(each, dict) and each:
                own = self.mapping(each, indent + 2)
                while not own[0].strip() or own[0].lstrip().startswith("#"):
                    own = own[1:]
                lines += [f"{' ' * indent}- {own[0][indent + 2 :]}", *own[1:]]
            else:
                lines.append(
                    f"{' ' * indent}- {self.flow(each, indent + 2, wide=False)}{self.trailing()}"
                )
        return lines


OTHERS = [
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  x: |+\n    --- no\n    #c\n\n\n",
    "# only a comment\n",
    "\n",
    'kind: Secret\napiVersion: v1\nmetadata: {name: s}\nstringData: {"a": "b",\n  c: \'d\'}\n',
    "a: &x [1, 2]\nb: *x\nb: 2\n",
    '{"apiVersion": "v1", "kind": "Service",\n\t"metadata": {"name": "x"}}\n',
]
MARKS = (["---\n", "---   \n", "--- # here\n", "...\n---\n", "---\n# c\n", "...\n# c\n---\n"])  # fmt: skip


def stream(seed: int) -> Stream:
    """A stream with one workload in it; the same for the same number.

    Of one number, and not drawn choice by choice: that takes Hypothesis a second for each.
    """
    draw = Random(seed)  # noqa: S311
    data, wrap, has_command = workload(draw)
    form = draw.choice(["yaml", "yaml", "json", "list", "json list"])
    writer = Writer(draw)
    has_alias = "Named" in repr(data)
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "y"}}, data],
    }
    if form.startswith("json") and not has_alias:
        whole = listed if form == "json list" else data
        text = json.dumps(whole, indent=draw.choice([None, 2, 4, "\t"]), ensure_ascii=False) + "\n"
    else:
        whole = listed if form == "list" else data
        text = "\n".join(writer.mapping(whole, 0)) + "\n"
    before = [draw.choice(OTHERS) for _ in range(draw.randrange(3))]
    after = [draw.choice(OTHERS) for _ in range(draw.randrange(3))]
    parts = [*before, text, *after]
    made = draw.choice(["", "---\n", "# head\n---\n"]) + parts[0]
    for part in parts[1:]:
        made += draw.choice(MARKS) + part
    if _maybe(draw):
        made = made.rstrip("\n") if not after or not made.rstrip("\n").endswith("#c") else made
    if _maybe(draw):
        made = made.replace("\n", "\r\n")
    if _maybe(draw, 5):
        made = "\ufeff" + made
    return Stream(made, data["kind"], wrap, has_command)
