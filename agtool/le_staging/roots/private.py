"""Whether a certificate can be the root of a private CA: it is told by keys, not by names."""

from __future__ import annotations

from agtool.core.errors import DeniedError
from agtool.core.text import printable
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.roots import trust


def refuse_public(certificate: Certificate) -> None:
    """Raises DeniedError for a certificate that is not of a private CA, whatever its name says.

    As a staging root it would make every production certificate a staging one.
    """
    import certifi

    from agtool.le_staging.paths import Anchors

    whose = trust.lets_encrypt_s(certificate.spki, certificate.authority_key)
    public = Anchors(lambda public: public.load_locations(certifi.where()))
    if not whose and certificate.spki in trust.publicly_trusted_keys():
        whose = "a public root"
    elif not whose and (path := public.path([certificate])):
        whose = f"issued by {path[-1].subject}, a public root"
    if whose:
        raise DeniedError(
            f"{printable(certificate.subject)} is refused as the root of a private CA: by its key "
            f"it is {printable(whose)}",
            hint="Nothing has to be fetched for it. If a host does not verify, let its server send "
            "the whole chain (fullchain.pem), with the cross-sign by a root that is known.",
        )
