"""The roots of Let's Encrypt's staging environment, as facts; the certificates are fetched.

Source: the pages "Staging Environment" and "Chains of Trust" of letsencrypt.org and the files that
they link to, as of August 2026. Intermediates are left out on purpose: they rotate, and Let's
Encrypt asks not to pin them.
"""

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
        spki: the SHA-256 of its public key.
        key_id: how certificates below it identify that key (SHA-1), in lower-case hexadecimal.
    """

    name: str
    url: str
    sha256: str
    retired: str = ""
    signed_by: str = ""
    spki: str = ""
    key_id: str = ""


class Twin(NamedTuple):
    """The root of production whose part a staging root plays.

    Attributes:
        name: the common name of its subject.
        spki, key_id: as those of a `Pin`.
        signed_by: the production root that signed its cross-sign; empty: it needs none.
    """

    name: str
    spki: str
    key_id: str
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
        spki="809b7ec2dfd3dda7c2464c6d30c4a35dc97ff7db20cd6736924d5cd4f0bdb46d",
        key_id="b5f365f2feb00a921ffb3c7df344a0ac6325c314",
    ),
    Pin(
        BOGUS_BROCCOLI,
        _SITE + "staging/letsencrypt-stg-root-x2.pem",
        "9b2a339fe6a3e85585c4cd75536cb8c1cf7cd603b9a64bec2521858ae48da85d",
        spki="e4e7e3a972e43e75d3566c5eb5c3e3d4f11b5c7daea5365e6df4f65f7004f05c",
        key_id="ded1a359640ec19a36a346eeb01076efae979566",
    ),
    Pin(
        YEARNING_YUCCA,
        _SITE + "staging/gen-y/root-ye.pem",
        "b59bfc0ba52daf849853b7324a91e82f031db3397f35644157352cde6384b56c",
        spki="3244748344948188c5c5c69b2ab761d7f3486e4eb759e76b5f17b746af8fe85b",
        key_id="933b1b94286281f91f27ebaadf9a300d5aae7fec",
    ),
    Pin(
        YONDER_YAM,
        _SITE + "staging/gen-y/root-yr.pem",
        "ef115fb59e040ff39d15fd8f3ef54063c704321d83cb081213272f77d3091672",
        spki="24850b394c987832dac638c72ed7291c9fa40be47f5e4f3974f3155fd2bb362b",
        key_id="50b1d79802505fdb32461b58c1684072246f4ac1",
    ),
    Pin(
        DOCTORED_DURIAN,
        _SITE + "staging/letsencrypt-stg-root-dst.pem",
        "0f07d394d10cc0964304dfb93e8aac0f18024cbe2c3471f0f420d0bc56d38c0a",
        retired="it expired on 2021-01-30",
        spki="f2c83f725ed869bace16a4aa1fe06ed1ef8fdbb02fdf7816822f0bab6f035b52",
        key_id="0857da89c7a253790c4fdde0908f74bae2277344",
    ),
    Pin(
        "Fake LE Root X1",
        _SITE + "fakelerootx1.pem",
        "219c4ffcfb04f1d3ad6ca79b2b5c6c0f4493177a80fa37cce7fc9a32df28323d",
        retired="it was replaced in 2021, although its certificate is valid until 2036",
        spki="5b7b5b32631b6ad5e6dcabbc7b21b6b23334b9345e90b22caa2c27770bb9da8d",
        key_id="c12674a48a44a0e6fa2028d85c239a45881879e0",
    ),
    Pin(
        YEARNING_YUCCA,
        _SITE + "staging/gen-y/root-ye-by-x2.pem",
        "f5494256e1e5e6d24cb8df2090b1b6d7f8f9c1c927afcc043ccff29dcc8b320f",
        signed_by=BOGUS_BROCCOLI,
        spki="3244748344948188c5c5c69b2ab761d7f3486e4eb759e76b5f17b746af8fe85b",
        key_id="933b1b94286281f91f27ebaadf9a300d5aae7fec",
    ),
    Pin(
        YONDER_YAM,
        _SITE + "staging/gen-y/root-yr-by-x1.pem",
        "4418f3db52db7a9df95aabb011088350ad21d6f44be8ae1814e4f6eaba5e04bd",
        signed_by=PRETEND_PEAR,
        spki="24850b394c987832dac638c72ed7291c9fa40be47f5e4f3974f3155fd2bb362b",
        key_id="50b1d79802505fdb32461b58c1684072246f4ac1",
    ),
    Pin(
        BOGUS_BROCCOLI,
        _SITE + "staging/letsencrypt-stg-root-x2-signed-by-x1.pem",
        "32d21af6fc87417a55d7e23c6992b8ce0cb9b5fcd85da30d194156d53758e4c5",
        retired="it expired on 2025-09-15",
        signed_by=PRETEND_PEAR,
        spki="e4e7e3a972e43e75d3566c5eb5c3e3d4f11b5c7daea5365e6df4f65f7004f05c",
        key_id="ded1a359640ec19a36a346eeb01076efae979566",
    ),
    Pin(
        PRETEND_PEAR,
        _SITE + "staging/letsencrypt-stg-root-x1-signed-by-dst.pem",
        "847632b328d05973e9a7cac7457040f9d94b9716f23fa2452e1765aa1bf5397b",
        retired="it expired on 2024-09-30",
        signed_by=DOCTORED_DURIAN,
        spki="809b7ec2dfd3dda7c2464c6d30c4a35dc97ff7db20cd6736924d5cd4f0bdb46d",
        key_id="b5f365f2feb00a921ffb3c7df344a0ac6325c314",
    ),
)

CURRENT = tuple(pin for pin in PINS if not pin.retired and not pin.signed_by)
"""The four roots of today. Which of them are trusted depends on their twins: `roots.trust`."""

BY_SHA256 = {pin.sha256: pin for pin in PINS}

TWINS = {
    PRETEND_PEAR: Twin(
        "ISRG Root X1",
        "0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3",
        "79b459e67bb6e5e40173800888c81a58f6e99b6e",
    ),
    BOGUS_BROCCOLI: Twin(
        "ISRG Root X2",
        "762195c225586ee6c0237456e2107dc54f1efc21f61a792ebd515913cce68332",
        "7c4296aede4b483bfa92f89e8ccf6d8ba9723795",
        signed_by="ISRG Root X1",
    ),
    YEARNING_YUCCA: Twin(
        "Root YE",
        "b0292ae545978e0fbb98abbd94c861605e5b18bb32ed523f50d5b7b5c71d47bc",
        "a3c8265a8ea14cd03563fc9b23c83aae56f34f56",
        signed_by="ISRG Root X2",
    ),
    YONDER_YAM: Twin(
        "Root YR",
        "7e4e8838a8add6295de7ae3b047d3aba3488ab95db0a0aa56d897a00d8618bcf",
        "dee75b60d0226d40287d3f0d01fea4b552b45194",
        signed_by="ISRG Root X1",
    ),
}
"""A current staging root, by its name, and its twin."""

REVOKED = {
    "00beaef280277e38999d3c60b27736e8f21e782c3d4b444ac34d465a7ab287c5": "root-x2-by-x1.pem",
    "2d7b5b429f80c0f0a032a0051f696a0f8d0b98980e71f6f244eac6367bc4c917": "root-ye-by-x2.pem",
    "270c64b6ba1aae94b0756e83d8db0732f5b534bcdc545d44e334d5dd4d10fec0": "root-yr-by-x1.pem",
}
"""Cross-signs of production that Let's Encrypt revoked, and the files that took their places.

They were signed on 2025-09-03, and their successors on 2026-05-13, with the same keys.
"""

SUCCESSORS = _SITE + "gen-y/"
"""Where these files are."""
