"""The key that says for which image COMMAND has been run. Pure."""

from __future__ import annotations

from agtool.migrate_once.inject.problem import ManifestError


def key_of(image: str) -> str:
    """The reference of an image as the key, with its digest or tag.

    Raises:
        ManifestError: it can mean another image tomorrow.
    """
    if "@" in image:
        return image
    _, colon, tag = image.rpartition("/")[2].partition(":")
    if not colon:
        raise _moves(f"the image {image} has no tag, which means :latest")
    if tag == "latest":
        raise _moves(f"the image is {image}")
    return image


def check_key(key: str) -> str:
    """A key that was given.

    Raises:
        ManifestError: it is, or ends with, `latest`.
    """
    if key.rpartition(":")[2] == "latest":
        raise _moves(f"the key is {key}")
    return key


def _moves(what: str) -> ManifestError:
    return ManifestError(
        f"{what}: a key that stays the same when the image changes is done for ever, so that the "
        "next migration would not run",
        hint="Pin the image by a tag that is never moved, or by its digest; or give --key VALUE, "
        'such as --key "$GIT_COMMIT".',
    )
