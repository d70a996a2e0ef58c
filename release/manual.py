"""The man pages: agtool(1), agtool-migrate-once(1) and so on, made from the commands.

docutils writes roff from a tree, so that nothing in a help text can pass for a macro.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from docutils import nodes
from docutils.core import publish_from_doctree
from docutils.utils import new_document

from agtool import __version__
from release.described import Described, Option
from release.exits import exit_codes

Tree = nodes.Node


def pages(commands: Sequence[Described], date: str) -> dict[str, str]:
    """The text of each page, by the name of its file. date: of the release, as YYYY-MM-DD."""
    return {f"{_page(one.name)}.1": _roff(one, commands, date) for one in commands}


def _page(command: str) -> str:
    return command.replace(" ", "-")


def _roff(command: Described, commands: Sequence[Described], date: str) -> str:
    document = new_document(_page(command.name))
    document += nodes.title("", _page(command.name))
    document += nodes.subtitle("", command.summary.rstrip("."))
    fields = {
        "manual_section": "1",
        "manual_group": "User Commands",
        "version": f"agtool {__version__}",
    }
    info = nodes.docinfo("", nodes.date("", date))
    info += [
        nodes.field("", nodes.field_name("", name), nodes.field_body("", _text(value)))
        for name, value in fields.items()
    ]
    document += info
    for title, content in _sections(command, commands):
        found = list(content)
        if found:
            document += nodes.section("", nodes.title("", title.upper()), *found)
    made = publish_from_doctree(
        document,
        writer="manpage",
        settings_overrides={
            "output_encoding": "unicode",
            "report_level": 1,
            "halt_level": 2,
            "_disable_config": True,
            "datestamp": None,
            "generator": False,
        },
    )
    return _tidied(str(made))


def _tidied(text: str) -> str:
    """Without what linters warn of, nor when it was made, and with names of variables whole."""
    text = re.sub(r'^\.\\" .*\n', "", text, flags=re.MULTILINE)
    text = re.sub(r"^(\.SH .*\n)\.sp\n", r"\1", text, flags=re.MULTILINE)
    text = text.replace(".SH Name\n", ".SH NAME\n", 1)
    return re.sub(r"^(\.TH .*\n)", r"\1.nr HY 0\n.nh\n.ad l\n", text, flags=re.MULTILINE)


def _sections(
    command: Described, commands: Sequence[Described]
) -> Iterator[tuple[str, Iterable[Tree]]]:
    yield "Synopsis", [_text(f"{command.name} {command.usage}", nodes.strong)]
    yield "Description", map(_text, [command.summary, *command.paragraphs])
    if command.commands:
        yield "Commands", [_definitions(command.commands)]
    if command.arguments:
        yield "Arguments", [_definitions({one.value: one.meaning for one in command.arguments})]
    yield "Options", [_options(command.options)]
    if command.examples:
        text = "\n".join(command.examples)
        yield "Examples", [nodes.literal_block(text, text)]
    yield "Environment", _environment(command)
    yield "Exit status", [_definitions(exit_codes(command))]
    yield "See also", [_text(", ".join(f"{each}(1)" for each in _related(command, commands)))]


def _text(text: str, kind: type[nodes.TextElement] | None = None) -> nodes.paragraph:
    return nodes.paragraph("", "", kind("", text) if kind else nodes.Text(text))


def _definitions(meanings: dict[str, str]) -> nodes.definition_list:
    return nodes.definition_list(
        "",
        *(
            nodes.definition_list_item(
                "",
                nodes.term("", "", nodes.strong("", term)),
                nodes.definition("", _text(meaning)),
            )
            for term, meaning in meanings.items()
        ),
    )


def _options(options: Iterable[Option]) -> nodes.definition_list:
    """Not docutils' own list of options, which puts `=` before a value where we have a space."""
    meanings = {}
    for option in options:
        names = ", ".join(option.names)
        default = f" Default: {option.default}." if option.default else ""
        known = [name for name in option.variables if name not in option.meaning]
        variables = f" Environment: {', '.join(known)}." if known else ""
        term = f"{names} {option.value}".rstrip()
        meanings[term] = f"{option.meaning}{default}{variables}"
    return _definitions(meanings)


def _environment(command: Described) -> Iterator[Tree]:
    found: dict[str, str] = {}
    for option in command.options:
        for name in option.variables:
            found.setdefault(name, f"As {option.name}, which goes before it.")
    if command.name == "agtool":
        found["AGTOOL_DEBUG"] = "Show the traceback of an error, as --debug does."
        found["AGTOOL_COMPLETION_TIMEOUT"] = "The time in which completion answers. Default: 800ms."
        found["NO_COLOR"] = "Write no colours, also to a terminal."
    if found:
        yield _definitions(found)


def _related(command: Described, commands: Sequence[Described]) -> list[str]:
    """The pages of the command above, of those below, and of those beside it."""
    above = command.name.rpartition(" ")[0]
    beside = {command.name, above} - {""}
    return [
        _page(one.name)
        for one in commands
        if one is not command
        and (one.name in (above, "agtool") or one.name.rpartition(" ")[0] in beside)
    ]
