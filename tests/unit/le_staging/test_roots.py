"""The pinned facts hold together."""

import re

from agtool.le_staging.roots.pins import BY_SHA256, CURRENT, PINS


def test_four_roots_are_current() -> None:
    assert [pin.name for pin in CURRENT] == [
        "(STAGING) Pretend Pear X1",
        "(STAGING) Bogus Broccoli X2",
        "(STAGING) Yearning Yucca Root YE",
        "(STAGING) Yonder Yam Root YR",
    ]


def test_every_pin_is_complete() -> None:
    assert len(BY_SHA256) == len({pin.url for pin in PINS}) == len(PINS)
    for pin in PINS:
        assert re.fullmatch(r"[0-9a-f]{64}", pin.sha256)
        assert pin.url.startswith("https://letsencrypt.org/certs/")
        assert not pin.signed_by or pin.signed_by in {root.name for root in PINS}


def test_the_retired_roots() -> None:
    retired = {pin.name for pin in PINS if pin.retired and not pin.signed_by}
    assert retired == {"(STAGING) Doctored Durian Root CA X3", "Fake LE Root X1"}
