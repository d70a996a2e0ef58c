"""The links of a page that lead into the repository, for where the page is shown elsewhere."""

from __future__ import annotations

import re

_PICTURE = re.compile(r"(!\[[^\]]*\]\()(?![a-z][a-z0-9+.-]*:|#)([^)\s]+)")
_LINK = re.compile(
    r"(\[(?:[^\]\[]|\[[^\]]*\](?:\([^)]*\))?)*\]\()(?![a-z][a-z0-9+.-]*:|#)([^)\s]+)"
)
_SOURCE = re.compile(r"(<(?:img|source)\b[^>]*?\b(?:src|srcset)=\")(?![a-z][a-z0-9+.-]*:)([^\"]+)")


def absolute(text: str, repository: str, version: str) -> str:
    """A Markdown text with whole links: pictures as they are, other files as pages about them.

    Args:
        repository: its address, such as https://example.com/agtool.
    """
    raw, page = (f"{repository}/{kind}/v{version}/" for kind in ("raw", "blob"))
    # Pictures first: one may be the text of a link.
    for pattern, start in ((_PICTURE, raw), (_LINK, page), (_SOURCE, raw)):
        text = pattern.sub(rf"\g<1>{start}\g<2>", text)
    return text
