"""The edit of a runner's TOML: what it adds, where, and that it touches nothing else."""

import copy
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.ci_nodepool.model import Taint, Toleration
from agtool.ci_nodepool.runner.edit import (
    edit,
    parse,
    read,
    remove,
)
from agtool.ci_nodepool.runner.placement import (
    CannotPatch,
    Tables,
    entry,
    missing,
    toleration,
)

KEY = "cloud.google.com/gke-preemptible"
WANTED = Tables({KEY: "true"}, {f"{KEY}=true": "NoSchedule"})


def dedent(text: str) -> str:
    """Return an indented literal as it is meant, without its first line end."""
    return textwrap.dedent(text).removeprefix("\n")


# -- how it looks, for the ways in which a configuration is written ------------------------------

EXAMPLES = {
    "the chart's default": (
        """
        [[runners]]
          [runners.kubernetes]
            namespace = "ci"
            image = "alpine"
        """,
        """
        [[runners]]
          [runners.kubernetes]
            namespace = "ci"
            image = "alpine"
            [runners.kubernetes.node_selector]
              "cloud.google.com/gke-preemptible" = "true"
            [runners.kubernetes.node_tolerations]
              "cloud.google.com/gke-preemptible=true" = "NoSchedule"
        """,
    ),
    "not indented, another table and its comment behind": (
        """
        [[runners]]
        [runners.kubernetes]
        image = "alpine"  # small

        # Where artefacts are kept.
        [runners.cache]
        Type = "s3"
        """,
        """
        [[runners]]
        [runners.kubernetes]
        image = "alpine"  # small
        [runners.kubernetes.node_selector]
        "cloud.google.com/gke-preemptible" = "true"
        [runners.kubernetes.node_tolerations]
        "cloud.google.com/gke-preemptible=true" = "NoSchedule"

        # Where artefacts are kept.
        [runners.cache]
        Type = "s3"
        """,
    ),
    "tables with entries": (
        """
        [[runners]]
          [runners.kubernetes]
            [runners.kubernetes.node_tolerations]
              "dedicated" = "NoSchedule"  # any value
            [runners.kubernetes.node_selector]
              "kubernetes.io/arch" = "amd64"

        """,
        """
        [[runners]]
          [runners.kubernetes]
            [runners.kubernetes.node_tolerations]
              "dedicated" = "NoSchedule"  # any value
              "cloud.google.com/gke-preemptible=true" = "NoSchedule"
            [runners.kubernetes.node_selector]
              "kubernetes.io/arch" = "amd64"
              "cloud.google.com/gke-preemptible" = "true"

        """,
    ),
    "dotted keys": (
        """
        [[runners]]
          kubernetes.namespace = "ci"
          kubernetes.image = "alpine"
          output_limit = 4096
        """,
        """
        [[runners]]
          kubernetes.namespace = "ci"
          kubernetes.image = "alpine"
          kubernetes.node_tolerations."cloud.google.com/gke-preemptible=true" = "NoSchedule"
          kubernetes.node_selector."cloud.google.com/gke-preemptible" = "true"
          output_limit = 4096
        """,
    ),
    "inline tables": (
        """
        [[runners]]
          kubernetes = { image = "alpine", node_selector = {} }
        """,
        """
        [[runners]]
          kubernetes = { image = "alpine", node_selector = { "cloud.google.com/gke-preemptible" = \
"true" }, node_tolerations = { "cloud.google.com/gke-preemptible=true" = "NoSchedule" } }
        """,
    ),
    "no kubernetes at all": (
        """
        [[runners]]
          name = "small"
        """,
        """
        [[runners]]
          name = "small"
            [runners.kubernetes.node_selector]
              "cloud.google.com/gke-preemptible" = "true"
            [runners.kubernetes.node_tolerations]
              "cloud.google.com/gke-preemptible=true" = "NoSchedule"
        """,
    ),
    "headers inside strings": (
        '''
        [[runners]]
          [runners.kubernetes]
            image = "alpine"
          pre_build_script = """
        # the end of a table?
        [runners.cache]
        # no
        """
        ''',
        None,
    ),
}


@pytest.mark.parametrize(("before", "after"), EXAMPLES.values(), ids=list(EXAMPLES))
def test_it_is_written_as_its_surroundings(before: str, after: str | None) -> None:
    edited, done = edit(dedent(before), WANTED)
    if after is not None:
        assert edited == dedent(after)
    assert done.added == WANTED
    assert read(edited).node_selector[KEY] == "true"


def test_nothing_to_do() -> None:
    text, _ = edit('[[runners]]\nname = "x"\n', WANTED)
    again, done = edit(text, WANTED)
    assert (again, done.added, done.insertions) == (text, Tables(), ())


def test_no_line_end_at_the_end() -> None:
    edited, _ = edit("[[runners]]\r\n  [runners.kubernetes]", WANTED)
    assert edited.endswith('gke-preemptible=true" = "NoSchedule"')
    assert "\n" not in edited.replace("\r\n", "")


# -- any configuration ---------------------------------------------------------------------------


MISLEADING = [
    'name = "a [runners.kubernetes] in a string }"',
    "limit = 1_000  # [runners.cache]",
    "ratio = nan",
    "'quoted key' = true",
    '"esc\\"aped" = 1.0',
    "when = 1979-05-27T07:32:00Z",
    "list = [\n  1, # ]\n  [ 2 ]\n]",
    'script = """\n[runners.kubernetes]\n# "x" = "y"\n\n"""',
    "raw = '''\n[[runners]]\n  [runners.cache]\n# '''",
    'inline = { a = "}", b = { c = 1 } }',
    'dotted.key."x.y" = "z"',
]
NOISE = ["", "# [runners.kubernetes.node_selector]", "  # } comment = {", "   \t"]
ENTRIES = {
    "node_selector": ["kubernetes.io/arch", "pool", KEY],
    "node_tolerations": ["dedicated=ci", "spot", "dedicated"],
}


class Writer:
    """Writes the TOML of one runner, in one of many styles, full of what misleads."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.step = draw(st.sampled_from(["", "  ", "\t", "    "]))

    def noise(self) -> list[str]:
        return self.draw(st.lists(st.sampled_from(NOISE), max_size=2))

    def keys(self, depth: int) -> list[str]:
        chosen = self.draw(st.lists(st.sampled_from(MISLEADING), max_size=4, unique=True))
        return [f"{self.step * depth}{piece}" for piece in chosen]

    def table(self, name: str, style: str, prefix: str) -> list[str]:
        chosen = self.draw(st.lists(st.sampled_from(ENTRIES[name]), max_size=3, unique=True))
        value = "true" if name == "node_selector" else "NoExecute"
        if style == "inline":
            body = ", ".join(f'"{key}" = "{value}"' for key in chosen)
            return [f"{prefix}{name} = {{{body}}}"]
        if style == "dotted":
            return [f'{prefix}{name}."{key}" = "{value}"' for key in chosen]
        quote = self.draw(st.sampled_from(["", '"']))
        lines = [f"{self.step * 2}[ runners.kubernetes.{quote}{name}{quote} ]  # here"]
        for key in chosen:
            lines += [f'{self.step * 2}"{key}"="{value}"', *self.noise()]
        return lines

    def tables(self, *styles: str, prefix: str = "") -> list[str]:
        lines = []
        for name in self.draw(st.permutations(list(ENTRIES))):
            if self.draw(st.booleans()):
                lines += self.table(name, self.draw(st.sampled_from(styles)), prefix)
        return lines

    def kubernetes(self) -> list[str]:
        step = self.step
        styles = ["header", "flat header", "dotted", "inline", "below", "none"]
        style = self.draw(st.sampled_from(styles))
        if style == "dotted":
            lines = [f'{step}kubernetes.image = "alpine"', *self.noise()]
            lines += self.tables("inline", "dotted", prefix=f"{step}kubernetes.")
            return [*lines, f"{step}builds_dir = '/b'"]
        if style == "inline":
            inner = st.sampled_from(["", ' image = "}" ', ' node_selector = { "a" = "b" } '])
            return [f"{step}kubernetes = {{{self.draw(inner)}}}  # }}", f"{step}shell = 'x'"]
        if style == "header":
            head = [f"{step}[runners.kubernetes]", *self.keys(2), *self.noise()]
            return [*head, *self.tables("header")]
        if style == "flat header":
            head = [f"{step}[runners.kubernetes]", *self.tables("inline", "dotted")]
            return [*head, *self.keys(2), *self.noise()]
        if style == "below":
            head = [f"{step}[runners.kubernetes.pod_labels]", '"a" = "b"']
            return [*head, *self.tables("header")]
        return []

    def text(self) -> str:
        lines = [*self.noise(), "concurrent = 4", *self.noise(), "[[runners]]", *self.keys(1)]
        lines += [*self.noise(), *self.kubernetes(), *self.noise()]
        if self.draw(st.booleans()):
            lines += [f"{self.step}[runners.cache]", *self.keys(2)]
        if self.draw(st.booleans()):
            lines += [f"{self.step}[[runners.volumes]]", *self.keys(2), *self.noise()]
        newline = self.draw(st.sampled_from(["\n", "\r\n"]))
        end = self.draw(st.sampled_from(["", newline]))
        return newline.join("\n".join(lines).split("\n")) + end


@st.composite
def configurations(draw: st.DrawFn) -> str:
    """Give the TOML of one runner."""
    return Writer(draw).text()


def normal(value: object) -> object:
    """Return what is equal only for the same meaning; nan is not equal to itself."""
    if isinstance(value, dict):
        return {k: normal(v) for k, v in value.items()}
    return [normal(v) for v in value] if isinstance(value, list) else repr(value)


def expected(before: dict[str, Any]) -> dict[str, Any]:
    """Return the meaning of a configuration after the edit, reckoned without it."""
    after = copy.deepcopy(before)
    kubernetes = after["runners"][0].setdefault("kubernetes", {})
    kubernetes.setdefault("node_selector", {})[KEY] = "true"
    kubernetes.setdefault("node_tolerations", {})[f"{KEY}=true"] = "NoSchedule"
    return after


@given(configurations())
def test_only_the_wanted_entries_change(text: str) -> None:
    before = parse(text)
    edited, done = edit(text, WANTED)
    assert normal(parse(edited)) == normal(expected(before))
    assert edit(edited, WANTED)[1].insertions == ()
    # Every other byte is kept, in its order.
    rest = edited
    for offset, piece in reversed(done.insertions):
        assert rest[offset : offset + len(piece)] == piece
        rest = rest[:offset] + rest[offset + len(piece) :]
    assert rest == text
    if "\r\n" in text:
        assert "\n" not in edited.replace("\r\n", "")


@given(configurations())
def test_undo_gives_back_the_very_text(text: str) -> None:
    edited, done = edit(text, WANTED)
    back = remove(edited, done)
    assert back.text == text
    assert not back.kept


@given(configurations(), st.booleans())
def test_undo_keeps_what_others_changed_since(text: str, above: bool) -> None:
    edited, done = edit(text, WANTED)
    theirs = f"# theirs\n{edited}" if above else edited.rstrip() + "\n# theirs\n"
    back = remove(theirs, done)
    assert "# theirs" in back.text
    assert not back.kept
    assert back.removed == done.added
    after, before = read(back.text), read(text)
    assert after == before


# -- undo, by example ----------------------------------------------------------------------------

SIMPLE = '[[runners]]\n  [runners.kubernetes]\n    image = "alpine"\n'


def test_undo_keeps_a_value_that_was_changed_since() -> None:
    edited, done = edit(SIMPLE, WANTED)
    theirs = edited.replace('preemptible" = "true"', 'preemptible" = "maybe"')
    back = remove(theirs, done)
    assert back.kept == (f'"{KEY}" in node_selector: somebody else has changed it to "maybe"',)
    assert read(back.text) == Tables({KEY: "maybe"}, {})
    assert "node_tolerations" not in back.text  # the header that agtool had added is gone too


def test_undo_keeps_an_entry_that_came_below_agtools_header() -> None:
    edited, done = edit(SIMPLE, WANTED)
    theirs = edited.replace('"true"\n', '"true"\n      "pool" = "ci"\n', 1)
    back = remove(theirs, done)
    assert read(back.text) == Tables({"pool": "ci"}, {})


def test_undo_after_somebody_else_did_it() -> None:
    _, done = edit(SIMPLE, WANTED)
    back = remove(SIMPLE + "# new\n", done)
    assert (back.text, back.removed, back.kept) == (SIMPLE + "# new\n", Tables(), ())


# -- what cannot be edited -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 [[runners]]"),
        ("concurrent = 1\n", "has 0 [[runners]]"),
        ("[[runners]]\n[[runners]]\n", "has 2 [[runners]]"),
        ("[runners]\n", "has 0 [[runners]]"),
        ("runners = [1]\n", "`runners` in the runner's template is not a table"),
        ("{{ if .Values.x }}\n[[runners]]\n{{ end }}\n", "Go template text"),
        ("[[runners]\n", "not valid TOML"),
        ("x = " + "[" * 100000, "not valid TOML"),
        ("x = " + "9" * 10000, "not valid TOML"),
        ('[[runners]]\nexecutor = "shell"\n', "executor is 'shell'"),
        ("[[runners]]\nkubernetes = 1\n", "kubernetes in the runner's template is not a table"),
        (
            "[[runners]]\nkubernetes.node_selector = 1\n",
            "node_selector in the runner's template is not a table",
        ),
        ("[[runners]]\nkubernetes.node_selector.a = true\n", "not a string"),
        (f'[[runners]]\nkubernetes.node_selector."{KEY}" = "false"\n', "already"),
        (f'[[runners]]\nkubernetes.node_tolerations."{KEY}=true" = "NoExecute"\n', "already"),
        ("runners = [{ kubernetes = {} }]\n", "no place was found"),
    ],
)
def test_refusals_name_the_reason(text: str, message: str) -> None:
    with pytest.raises(CannotPatch) as refusal:
        edit(text, WANTED)
    assert message in refusal.value.message


# -- tolerations as gitlab-runner reads them -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "effect", "tolerated"),
    [
        (f"{KEY}=true", "NoSchedule", True),
        (f"{KEY}=true", "", True),
        (f"{KEY}=true", "NoExecute", False),
        (f"{KEY}=false", "NoSchedule", False),
        (KEY, "NoSchedule", True),
        (KEY, "NoExecute", False),
        ("", "", True),
        ("", "NoSchedule", True),
        ("=true", "NoSchedule", False),
        ("other", "NoSchedule", False),
    ],
)
def test_tolerations_that_are_there_already(name: str, effect: str, tolerated: bool) -> None:
    assert toleration(name, effect).tolerates(Taint(KEY, "true", "NoSchedule")) is tolerated
    if name != f"{KEY}=true":
        added = missing(Tables({KEY: "true"}, {name: effect}), WANTED)
        assert bool(added) is not tolerated


def test_a_toleration_of_one_value_is_not_one_of_any() -> None:
    wanted = Tables({KEY: "true"}, dict([entry(Toleration(KEY, None, "NoSchedule"))]))
    assert wanted == Tables({KEY: "true"}, {KEY: "NoSchedule"})
    there = Tables({KEY: "true"}, {f"{KEY}=true": ""})
    assert missing(there, wanted).node_tolerations == {KEY: "NoSchedule"}
