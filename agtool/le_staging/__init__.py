"""`agtool le-staging`: Let's Encrypt's staging environment, verified and browsable, safely.

No client trusts the roots of the staging environment. So one either checks nothing (`curl -k`)
or trusts a fake root in the daily browser. What must hold instead, and where it is seen to:

* A root is known by its fingerprint and by nothing else: `roots` has the pinned facts, `store`
  checks them whenever it reads, `fetch` before it writes. A retired root is refused, however
  long its certificate is still valid.
* A verdict is curl's verdict: the same library (OpenSSL), the same flags, only these roots:
  `handshake`. It names the anchor that was really used, so that a production certificate never
  passes as staging: `judge`.
* One handshake tells everything, so that a report never mixes two replicas that stand behind
  one name and have different certificates: `handshake`.
* The browser that a person uses every day stays as it was: one profile of agtool's own trusts the
  roots (`trust_store`, `nss`), and the browser is asked whether it really checks: `selftest`.

Read in this order: roots (facts), store (where they lie), fetch; then target (what to check),
starttls, handshake (the effect), names, judge (the decision), verify (many at once), report.
For the browser: profile (what a kind of browser must do), browser (which there are), chromium
with trust_store, firefox with nss, selftest with throwaway_ca, tested, start, turn, opening (one
call of `chrome`); launcher and removal. The three files of cli and the two of status are the edges.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "le-staging",
    "Verify and open sites that use Let's Encrypt staging.",
    "agtool.le_staging.cli",
)
