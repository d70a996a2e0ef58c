"""The roots of Let's Encrypt's staging environment, as facts; the certificates are fetched.

Source: the page "Staging Environment" of letsencrypt.org and the files that it links to, as of
August 2026. Intermediates are left out on purpose: they rotate, and Let's Encrypt asks not to
pin them.
"""

from __future__ import annotations

from typing import NamedTuple

_SITE = "https://letsencrypt.org/certs/"


class Pin(NamedTuple):
    """A certificate that Let's Encrypt published for its staging environment.

    Attributes:
        name: the common name of its subject.
        url: where it is published, as PEM.
        sha256: of the DER form, in lower-case hexadecimal: its identity.
        retired: why nobody should trust it, for people; empty: it is current.
        signed_by: the name of another root that signed this certificate (a cross-sign); empty:
            it is a root itself.
    """

    name: str
    url: str
    sha256: str
    retired: str = ""
    signed_by: str = ""


PRETEND_PEAR = "(STAGING) Pretend Pear X1"
BOGUS_BROCCOLI = "(STAGING) Bogus Broccoli X2"
YEARNING_YUCCA = "(STAGING) Yearning Yucca Root YE"
YONDER_YAM = "(STAGING) Yonder Yam Root YR"
DOCTORED_DURIAN = "(STAGING) Doctored Durian Root CA X3"

PINS = (
    Pin(
        PRETEND_PEAR,
        _SITE + "staging/letsencrypt-stg-root-x1.pem",
        "e70570a989f8565aabdf7cae27abd1621872d6a3f811e3fef27e3dba02912198",
    ),
    Pin(
        BOGUS_BROCCOLI,
        _SITE + "staging/letsencrypt-stg-root-x2.pem",
        "9b2a339fe6a3e85585c4cd75536cb8c1cf7cd603b9a64bec2521858ae48da85d",
    ),
    Pin(
        YEARNING_YUCCA,
        _SITE + "staging/gen-y/root-ye.pem",
        "b59bfc0ba52daf849853b7324a91e82f031db3397f35644157352cde6384b56c",
    ),
    Pin(
        YONDER_YAM,
        _SITE + "staging/gen-y/root-yr.pem",
        "ef115fb59e040ff39d15fd8f3ef54063c704321d83cb081213272f77d3091672",
    ),
    Pin(
        DOCTORED_DURIAN,
        _SITE + "staging/letsencrypt-stg-root-dst.pem",
        "0f07d394d10cc0964304dfb93e8aac0f18024cbe2c3471f0f420d0bc56d38c0a",
        retired="it expired on 2021-01-30",
    ),
    Pin(
        "Fake LE Root X1",
        _SITE + "fakelerootx1.pem",
        "219c4ffcfb04f1d3ad6ca79b2b5c6c0f4493177a80fa37cce7fc9a32df28323d",
        retired="it was replaced in 2021, although its certificate is valid until 2036",
    ),
    Pin(
        YEARNING_YUCCA,
        _SITE + "staging/gen-y/root-ye-by-x2.pem",
        "f5494256e1e5e6d24cb8df2090b1b6d7f8f9c1c927afcc043ccff29dcc8b320f",
        signed_by=BOGUS_BROCCOLI,
    ),
    Pin(
        YONDER_YAM,
        _SITE + "staging/gen-y/root-yr-by-x1.pem",
        "4418f3db52db7a9df95aabb011088350ad21d6f44be8ae1814e4f6eaba5e04bd",
        signed_by=PRETEND_PEAR,
    ),
    Pin(
        BOGUS_BROCCOLI,
        _SITE + "staging/letsencrypt-stg-root-x2-signed-by-x1.pem",
        "32d21af6fc87417a55d7e23c6992b8ce0cb9b5fcd85da30d194156d53758e4c5",
        retired="it expired on 2025-09-15",
        signed_by=PRETEND_PEAR,
    ),
    Pin(
        PRETEND_PEAR,
        _SITE + "staging/letsencrypt-stg-root-x1-signed-by-dst.pem",
        "847632b328d05973e9a7cac7457040f9d94b9716f23fa2452e1765aa1bf5397b",
        retired="it expired on 2024-09-30",
        signed_by=DOCTORED_DURIAN,
    ),
)

CURRENT = tuple(pin for pin in PINS if not pin.retired and not pin.signed_by)
"""The four roots to trust. All are needed: no cross-sign that is still valid joins all paths."""

BY_SHA256 = {pin.sha256: pin for pin in PINS}
