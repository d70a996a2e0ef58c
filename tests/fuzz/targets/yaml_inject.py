"""A manifest: what `inject` adds can be removed to the byte, and is added once."""

from agtool.migrate_once.inject.additions import Wish
from agtool.migrate_once.inject.manifests import File
from agtool.migrate_once.inject.problem import ManifestError
from agtool.migrate_once.inject.run import inject, remove

WISH = Wish("r.x/agtool:1", "copy", (), None, ("migrate", "up"), None, None, {}, told=True)


def check(data: bytes) -> None:
    """The first byte says by which method, the rest is the text."""
    try:
        text = data[1:].decode()
    except UnicodeDecodeError:
        return
    wish = WISH._replace(method=("copy", "image-volume")[(data or b"\0")[0] % 2])
    try:
        (made,) = inject([File("x", text)], None, wish).texts
    except ManifestError:
        return
    (again,) = inject([File("x", made)], None, wish).texts
    assert again == made
    (back,) = remove([File("x", made)], None).texts
    # A text that had it before is its own matter.
    if "agtool" not in text:
        assert back == text
