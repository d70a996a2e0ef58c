"""The runner's TOML: an edit only adds, does so once, and is taken back to the byte."""

import tomllib

from agtool.ci_nodepool.runner.edit import edit, read, remove
from agtool.ci_nodepool.runner.placement import CannotPatch, Tables

WISHES = (
    Tables({"pool": "ci"}, {"pool=ci": "NoSchedule"}),
    Tables({}, {"a.b/c": ""}),
    Tables({'odd "name"': "x"}),
    Tables({}, {}, {"pool": "ci"}),
)


def check(data: bytes) -> None:
    """The first byte says what is wanted, the rest is the text."""
    try:
        text = data[1:].decode()
    except UnicodeDecodeError:
        return
    wanted = WISHES[(data or b"\0")[0] % len(WISHES)]
    try:
        edited, done = edit(text, wanted)
    except CannotPatch:
        return
    rest = edited
    for offset, piece in reversed(done.insertions):
        assert rest[offset : offset + len(piece)] == piece
        rest = rest[:offset] + rest[offset + len(piece) :]
    assert rest == text
    tomllib.loads(edited.removeprefix("\ufeff"))
    now = read(edited)
    for table, entries in vars(wanted).items():
        assert entries.items() <= vars(now)[table].items()
    assert edit(edited, wanted)[0] == edited
    assert remove(edited, done).text == text
    # What others add since stays, and so does what was there before.
    later = remove(f"# theirs\n{edited}", done)
    assert later.text.startswith("# theirs\n")
    assert read(later.text) == read(text)
