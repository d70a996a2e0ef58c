"""`agtool le-staging`: Let's Encrypt's staging environment, verified and browsable, safely.

No client trusts the roots of the staging environment. So one either checks nothing (`curl -k`)
or trusts a fake root in the daily browser. What must hold instead, and where it is ensured:

* A root is known by its fingerprint and by nothing else: `roots.pins` has the pinned facts,
  `roots.store` checks them whenever it reads, `roots.fetch` before it writes. A retired root is
  refused, however long its certificate is still valid; so is, as a private CA's, what is public.
* A staging certificate is worth what its production twin would be: `roots.trust` says which
  staging roots are trusted, by the keys of their twins, for verdicts and for everything that
  agtool hands to others.
* A verdict is curl's verdict: the same library (OpenSSL), the same flags, only these roots:
  `verify.quick`, `verify.handshake`. It names the anchor that was really used, so that a
  production certificate never passes as staging: `verify.judge`.
* One handshake tells everything, so that a report never mixes two replicas that stand behind
  one name and have different certificates: `verify.look`.
* Nothing that a server sends ends a run: certificates are read by `certificate` and `der`, which
  raise ValueError and nothing else.
* The browser that a person uses every day does not change: one profile of agtool's own trusts
  the roots (`browser.trust_store`, `browser.nss`), and a self-test shows whether the browser
  really checks: `browser.selftest`.

Read in this order:

* der, certificate: what a certificate says; paths: whether it leads to a root.
* roots: pins (facts), trust, private (what is none), store (where they lie), fetch, given.
* verify: target (what to check), connect, proxy, starttls, opened (up to the handshake), quick and
  handshake with alerts (it), replay (one in memory), names, flaws, origins, judge (the decisions),
  public and thorough (who vouches), look (one host), checker (many at once).
* stored: read, key (files and Secrets), check. cluster: objects, issuance (pure), read, compare.
* environment: what other programs read.
* browser: profile (what a kind of browser must do), installed (which there are), chromium with
  trust_store, firefox with nss, selftest with throwaway_ca, tested, start, turn, opening (one
  call of `chrome`), launcher.
* status, removal: all of it together. documents: what the commands print for programs.
* cli: one file for each command or two, and one for each group of options; report shows what was
  found to people, formats to CI and monitoring.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "le-staging",
    "Verify and open sites that use Let's Encrypt staging.",
    "agtool.le_staging.cli",
)
