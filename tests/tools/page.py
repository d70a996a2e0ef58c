"""What the page of a tool says, in the form in which it is run: the very lines of the page."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.tools.installed import ROOT

PAGES = ROOT / "docs" / "how-to" / "migration-tools"

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Container:
    """The init container of a page. env: the variables that have a value there."""

    command: list[str]
    env: Mapping[str, str]


def expanded(text: str, env: Mapping[str, str]) -> str:
    """Replace $(NAME), as Kubernetes does in a command and in the values of variables."""
    return re.sub(r"\$\((\w+)\)", lambda found: env.get(found[1], found[0]), text)


class Page:
    """The page of a tool in docs/how-to/migration-tools.

    All that is asked for raises AssertionError where the page has not got it.
    """

    def __init__(self, tool: str) -> None:
        self.path = PAGES / f"{tool}.md"
        self._text = self.path.read_text(encoding="utf-8")

    def blocks(self, heading: str, language: str) -> list[str]:
        """The blocks of code in a language below a heading, up to the next of its level."""
        section = re.search(
            rf"^(#+) {re.escape(heading)}$(.*?)(?=^\1 |\Z)", self._text, re.MULTILINE | re.DOTALL
        )
        assert section, f"{self.path} has no heading {heading!r}"
        return [code for name, code in _FENCED.findall(section[2]) if name == language]

    def block(self, heading: str, language: str) -> str:
        """The one block of code in a language below a heading."""
        found = self.blocks(heading, language)
        assert len(found) == 1, f"{self.path}, {heading}: {len(found)} blocks of {language}"
        return found[0]

    def container(self, heading: str) -> Container:
        """The init container below a heading: its command, and its variables with a value."""
        (container,) = yaml.safe_load(self.block(heading, "yaml"))["initContainers"]
        env = {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}
        return Container(container["command"], env)

    def command(self, heading: str) -> list[str]:
        """The `command:` below a heading, which is to be put into the init container."""
        command: Any = yaml.safe_load(self.block(heading, "yaml"))["command"]
        assert isinstance(command, list)
        return command

    def image_env(self) -> dict[str, str]:
        """The ENV lines of the page's Dockerfile."""
        return dict(self._image_env())

    def _image_env(self) -> Iterator[tuple[str, str]]:
        for code in self.blocks("The image", "dockerfile"):
            for line in code.splitlines():
                if found := re.fullmatch(r"ENV (\w+)=(\S+)", line):
                    yield found[1], found[2]
