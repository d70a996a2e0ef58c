"""The one shape of what agtool finds: errors, warnings and problems, in every document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that a person or a program has to know.

    Attributes:
        code: a stable word for programs, such as `not-found`.
        message: what is so, in one sentence.
        hint: what to do next; may be empty.
        subject: the object that it is about, such as `node worker-1`; may be empty.
    """

    code: str
    message: str
    hint: str = ""
    subject: str = ""
