"""Helm values, manifests and TOML of runners: a new text stands where the old one did."""

from agtool.ci_nodepool.files.place import line_of, replaced
from agtool.ci_nodepool.files.read import read
from agtool.ci_nodepool.files.text import File
from agtool.core.errors import AgtoolError

NAMES = ("values.yaml", "config.toml")


def check(data: bytes) -> None:
    """The first byte says what the file is called, the rest is the text."""
    try:
        text = data[1:].decode()
    except UnicodeDecodeError:
        return
    file = File(NAMES[(data or b"\0")[0] % len(NAMES)], text)
    try:
        found = read([file], "ns")
    except AgtoolError:
        return
    for number, runner in enumerate(found):
        if runner.place is None:
            continue
        assert line_of(file, runner.place, 0) >= 1
        wanted = f"{runner.text}# more\n"
        try:
            assert replaced(text, runner.place, runner.text) == text
            made = replaced(text, runner.place, wanted)
        except AgtoolError:  # it cannot be proved, as where an anchor may be used elsewhere
            continue
        assert read([File(file.name, made)], "ns")[number].text == wanted
