"""A certificate: only ValueError, and where a library reads it, the same names and dates."""

import warnings

from cryptography import x509

from agtool.le_staging.certificate import key_of, parse


def check(data: bytes) -> None:
    """DER."""
    try:
        found = parse(data)
    except ValueError:
        found = None
    try:
        assert len(key_of(data)) == 64
    except ValueError:
        assert found is None
    if found is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = x509.load_der_x509_certificate(data)
            names = theirs.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            dns = tuple(names.get_values_for_type(x509.DNSName))
            dates = (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
        except Exception:  # noqa: BLE001  # it refuses what OpenSSL takes, in many ways
            return
    # What is not ASCII, as names are, the library shows as UTF-8: it may look like another one.
    assert found.dns_names == tuple(one.encode().decode("ascii", errors="replace") for one in dns)
    assert (found.not_before, found.not_after) == dates
