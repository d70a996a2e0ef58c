"""The links of a page that lead into the repository, for where the page is shown elsewhere."""

from __future__ import annotations

import re

_LINK = re.compile(
    r"(!?\[(?:[^\]\[]|\[[^\]]*\](?:\([^)]*\))?)*\]\()(?![a-z][a-z0-9+.-]*:|#)([^)\s]+)"
)
_SOURCE = re.compile(r"(<(?:img|source)\b[^>]*?\b(?:src|srcset)=\")(?![a-z][a-z0-9+.-]*:)([^\"]+)")


def absolute(text: str, repository: str, version: str) -> str:
    """A Markdown text with whole links: pictures as they are, other files as pages about them.

    Args:
        repository: its address, such as https://example.com/agtool.
    """
    raw, page = (f"{repository}/{kind}/v{version}/" for kind in ("raw", "blob"))

    def whole(found: re.Match[str]) -> str:
        return f"{found[1]}{raw if found[1].startswith('![') else page}{found[2]}"

    # The inner link of a picture that is a link comes first.
    pictures = re.compile(r"(!\[[^\]]*\]\()(?![a-z][a-z0-9+.-]*:|#)([^)\s]+)")
    text = pictures.sub(whole, text)
    text = _LINK.sub(whole, text)
    return _SOURCE.sub(lambda found: f"{found[1]}{raw}{found[2]}", text)
