"""Which name of a certificate is the host's, by the rules of curl.

Source: curl's lib/vtls/hostcheck.c and openssl.c (Curl_ossl_verifyhost), which follow RFC 6125.
"""

from __future__ import annotations

import ipaddress

from agtool.le_staging.certificate import Certificate
from agtool.le_staging.verify.target import is_address


def matching_name(host: str, certificate: Certificate) -> str | None:
    """The name in the certificate that stands for `host`; None: it is not for this host.

    A common name counts only in a certificate without any alternative name, which curl accepts
    and browsers do not.
    """
    if is_address(host):
        wanted = ipaddress.ip_address(host)
        for address in certificate.addresses:
            if "/" not in address and ipaddress.ip_address(address) == wanted:
                return address
    else:
        for name in certificate.dns_names:
            if _stands_for(name, host):
                return name
    if certificate.names or not certificate.common_names:
        return None
    common = certificate.common_names[-1]
    return common if _stands_for(common, host) else None


def _stands_for(pattern: str, host: str) -> bool:
    pattern, host = pattern.removesuffix(".").lower(), host.removesuffix(".").lower()
    # One dot only, "*.com", would be too wide: then it is not taken for a wildcard.
    if not pattern.startswith("*.") or pattern.count(".") < 2:
        return pattern == host
    if is_address(host):
        return False
    label, dot, parent = host.partition(".")
    return bool(label and dot) and parent == pattern[2:]
