"""Why a chain is not trusted, pure: of several possible reasons the one that the facts show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agtool.core.finding import Finding
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.roots.pins import CURRENT, PINS, TWINS
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.origins import origin, same_ca

# X509_V_ERR_..., as in openssl/x509_vfy.h.
_BAD_SIGNATURE = 7
UNTRUSTED = {2, 18, 19, 20, 21, 27}
DATES = {9, 10}
_NOT_A_CA = "{subject} may not issue certificates: basic constraints or key usage do not allow it"
_OTHERS = {
    22: ("chain", "the chain is too long"),
    24: ("not-a-ca", _NOT_A_CA),
    25: ("not-a-ca", "the path below {subject} is longer than it allows"),
    26: ("purpose", "{subject} is not for servers: its extended key usage does not allow it"),
    28: ("purpose", "{subject} is rejected for that purpose"),
    32: ("not-a-ca", _NOT_A_CA),
    34: ("extension", "{subject} has a critical extension that OpenSSL does not know"),
    47: ("name-constraint", "a CA above {subject} may not issue for its names"),
    48: ("name-constraint", "a CA above {subject} may not issue for its names"),
    66: ("weak", "the key of {subject} is too weak: {key}"),
    67: ("weak", "the key of {subject} is too weak: {key}"),
    68: ("weak", "the signature of {subject} is too weak: {signature}"),
    79: ("not-a-ca", _NOT_A_CA),
}


def problems_of_trust(evidence: Evidence, *, trusted: bool) -> Iterator[Finding]:
    """Everything that OpenSSL objected to, dates apart; trusted: some root vouches for it."""
    codes = {flaw.code for flaw in evidence.flaws}
    if codes & UNTRUSTED and not trusted:
        yield _untrusted(evidence)
    found: dict[tuple[int, str], Finding] = {}
    for number, depth in evidence.flaws:
        if number not in UNTRUSTED | DATES:
            problem = _problem(number, evidence.chain[min(depth, len(evidence.chain) - 1)])
            found.setdefault((depth, problem.code), problem)
    for (depth, code), problem in found.items():
        # What is no CA at all is no CA for servers either.
        if code != "purpose" or (depth, "not-a-ca") not in found:
            yield problem


def _problem(number: int, certificate: Certificate) -> Finding:
    if number == _BAD_SIGNATURE:
        return Finding(
            "bad-signature",
            f"{certificate.subject} was not signed by {certificate.issuer}, as it claims, but by "
            "another key",
            "Let the server send the chain that the ACME client wrote (fullchain.pem).",
        )
    unknown = ("refused-by-openssl", f"OpenSSL refuses {{subject}} (verify error {number})")
    code, text = _OTHERS.get(number, unknown)
    return Finding(
        code, text.format(**certificate._asdict()), "Get a new certificate from the ACME server."
    )


def _untrusted(evidence: Evidence) -> Finding:
    """Why no root was reached."""
    leaf, top = evidence.presented[0], evidence.chain[-1]
    alone = len(evidence.chain) == 1
    own = alone and any(same_ca(top.issuer, name) for name in evidence.private)
    return (
        _retired(evidence.chain)
        or _missing_cross_sign(top)
        or _look_alike(evidence, top)
        or (None if own else origin(leaf, top))
        or _unknown(top, alone=alone)
    )


def _retired(chain: Sequence[Certificate]) -> Finding | None:
    names = {certificate.subject for certificate in chain} | {chain[-1].issuer}
    if any(name.startswith("Fake LE Intermediate") for name in names):
        names.add("Fake LE Root X1")  # above which there never was another root
    for pin in PINS:
        if pin.retired and not pin.signed_by and pin.name in names:
            return Finding(
                "retired-root",
                f"the chain ends in {pin.name}, which was retired: {pin.retired}",
                "Get a new certificate; current ones do not have this root.",
            )
    return None


def _unknown(top: Certificate, *, alone: bool) -> Finding:
    if top.self_issued and alone:
        return Finding(
            "self-signed",
            "the certificate is self-signed: no CA has issued it",
            "Check that the ACME client has finished, and reload the server.",
        )
    if top.self_issued:
        return Finding(
            "unknown-root",
            f"the chain ends in {top.subject}, which is neither a staging root nor a public one",
            _private_hint(top.subject),
        )
    if top.issuer in {pin.name for pin in CURRENT}:
        return Finding(
            "unknown-root",
            f"{top.issuer} is a staging root of Let's Encrypt that has not been fetched",
            "Run: agtool le-staging fetch",
        )
    if alone or is_staging(top):
        return _incomplete(top)
    return Finding(
        "unknown-root",
        f"the chain ends at {top.subject}, whose issuer {top.issuer} is neither a staging root "
        "nor a public one",
        _private_hint(top.issuer),
    )


def not_publicly_trusted_twin(path: Sequence[Certificate]) -> Finding:
    """What to say of a path that ends in a staging root whose twin no public store has."""
    root = path[-1].subject
    twin = TWINS.get(root)
    crossed = {twin.name: name for name, twin in TWINS.items()}.get(twin.signed_by if twin else "")
    return Finding(
        "not-publicly-trusted-twin",
        f"the chain ends in {root}, and no public store has its production twin "
        f"({twin.name if twin else 'unknown'}): with a production certificate this server would "
        "fail in every client",
        "Let the server send the whole chain that the ACME server gives (fullchain.pem), with the "
        f"cross-sign of {root} by {crossed or 'an older root'}. If the ACME client has a "
        "--preferred-chain or the like, leave it out.",
    )


def _missing_cross_sign(top: Certificate) -> Finding | None:
    """The same fault in production; told by the key, since names prove nothing."""
    for twin in TWINS.values():
        issued = top.issuer == twin.name and top.authority_key == twin.key_id
        if twin.signed_by and (top.spki == twin.spki or issued):
            return Finding(
                "missing-cross-sign",
                f"the chain ends in {twin.name} of Let's Encrypt, which is not in the public "
                f"stores yet: the server does not send its cross-sign by {twin.signed_by}",
                "Let the server send the whole chain that the ACME server gives (fullchain.pem). "
                "If the ACME client has a --preferred-chain or the like, leave it out. Nothing "
                "has to be fetched for it.",
            )
    return None


def _look_alike(evidence: Evidence, top: Certificate) -> Finding | None:
    if not evidence.look_alike:
        return None
    name = top.subject if top.self_issued else top.issuer
    return Finding(
        "unknown-root",
        f"the chain ends in a look-alike of {name}: it has the name of {evidence.look_alike}, and "
        "another key",
        "Find out who has made this certificate: no client trusts it. Then get one from the ACME "
        "server.",
    )


def _incomplete(top: Certificate) -> Finding:
    hint = "Let the server send the whole chain (fullchain.pem, not cert.pem)."
    if top.issuer_urls:
        hint += (
            " Chrome may open the page all the same: it fetches what is missing (AIA, from "
            f"{top.issuer_urls[0]}); curl does not."
        )
    elif not is_staging(top):
        hint += f" {_private_hint(top.issuer)}"
    return Finding(
        "incomplete-chain",
        f"the server does not send the certificate of {top.issuer}, which issued {top.subject}",
        hint,
    )


def is_staging(certificate: Certificate) -> bool:
    """Hints, not proofs: what the issuer is called and where its certificate is to be had."""
    return certificate.issuer.startswith("(STAGING)") or any(
        url.startswith("http://stg-") and ".i.lencr.org/" in url for url in certificate.issuer_urls
    )


def _private_hint(name: str) -> str:
    return f"If {name} is your own ACME CA: agtool le-staging fetch --url URL --fingerprint SHA256"
