"""`agtool le-staging`: Let's Encrypt's staging environment, verified and browsable, safely.

No client trusts the roots of the staging environment. So one either checks nothing (`curl -k`)
or trusts a fake root in the daily browser. What must hold instead, and where it is ensured:

* A root is known by its fingerprint and by nothing else: `roots.pins` has the pinned facts,
  `roots.store` checks them whenever it reads, `roots.fetch` before it writes. A retired root is
  refused, however long its certificate is still valid.
* A verdict is curl's verdict: the same library (OpenSSL), the same flags, only these roots:
  `verify.handshake`. It names the anchor that was really used, so that a production certificate
  never passes as staging: `verify.judge`.
* One handshake tells everything, so that a report never mixes two replicas that stand behind
  one name and have different certificates: `verify.handshake`.
* The browser that a person uses every day does not change: one profile of agtool's own trusts
  the roots (`browser.trust_store`, `browser.nss`), and a self-test shows whether the browser
  really checks: `browser.selftest`.

Read in this order:

* roots: pins (facts), store (where they lie), fetch.
* verify: target (what to check), connect, starttls, handshake (the effects), names, flaws, judge
  (the decisions), checker (many at once).
* browser: profile (what a kind of browser must do), installed (which there are), chromium with
  trust_store, firefox with nss, selftest with throwaway_ca, tested, start, turn, opening (one
  call of `chrome`), launcher.
* status, removal: all three rooms together. documents: what the commands print for programs.
* cli: one file for each command or two; report shows what `verify` found.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "le-staging",
    "Verify and open sites that use Let's Encrypt staging.",
    "agtool.le_staging.cli",
)
