"""Secrets taken out of what drivers and servers say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from urllib.parse import quote, quote_plus

MASK = "***"

# Messages in any language: beside " ' and ` the guillemets, and the curved ones, high and low.
_QUOTE = "[\"'`\u00ab\u00bb\u2018-\u201f\u2039\u203a]"
_ASSIGNED = r"(?:password|passwd|passphrase|pwd)\s?=\s?"


def mask(words: str, secrets: Iterable[str], shown: Collection[str]) -> str:
    """`words` of somebody else's, with *** where a secret is quoted.

    A secret may be a word that stands there anyway, such as `port`. So it is masked as a value: in
    quotation marks, after `password=`, before the @ of a URL; and by itself only if it has letters
    and digits, as no word has, and inside another word only if it is long as well.

    Args:
        shown: what we show ourselves; hiding it again would help nobody.
    """
    for secret in secrets:
        if not secret or secret in shown:
            continue
        # As it is, percent-encoded in a URL, and escaped in quotation marks.
        escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
        forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), escaped}
        # The longest first, should one hold another.
        any_form = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        values = [
            f"(?P<a>{_QUOTE}\\s?)(?:{any_form})(?=\\s?{_QUOTE})",
            f"(?P<b>{_ASSIGNED})(?:{any_form})(?!\\w)",
            f"(?P<c>://[^\\s:/@]*:)(?:{any_form})(?=@)",
        ]
        if re.search(r"\d", secret) and re.search(r"[^\W\d_]", secret):
            values.append(f"(?<!\\w)(?:{any_form})(?!\\w)" if len(secret) < 8 else any_form)
        words = re.sub(
            "|".join(values),
            lambda found: (found[found.lastgroup] if found.lastgroup else "") + MASK,
            words,
        )
    return words
