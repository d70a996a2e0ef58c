"""The option that commands share which make something trust the staging roots."""

from typing import Annotated

from agtool.core.options import flag

UntrustedTwins = Annotated[
    bool,
    flag(
        "Trust the staging roots too whose production twins no public store has.",
        "--untrusted-twins",
    ),
]
