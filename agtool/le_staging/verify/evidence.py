"""What was seen of a host's certificate, and all that a judgement rests on."""

from typing import NamedTuple

from agtool.le_staging.certificate import Certificate


class Flaw(NamedTuple):
    """What OpenSSL objected to: its number (X509_V_ERR_...), and where in the chain (0: leaf)."""

    code: int
    depth: int


class Voucher(NamedTuple):
    """A root beyond the staging roots, and its path to a certificate.

    path: leaf first, the root last. public: the root is in Mozilla's list, and not only in this
    machine's own store.
    """

    path: tuple[Certificate, ...]
    public: bool


class Evidence(NamedTuple):
    """What a handshake showed, and who vouches for it: all that a judgement rests on.

    Attributes:
        presented: the certificates that the server sent, in its order: leaf first.
        chain: the path that OpenSSL built, leaf first. Its anchor is the last one, except when
            the bundle has the server's own certificate: then OpenSSL goes on, and stops there.
        flaws: what OpenSSL objected to, in its order, with the staging roots as the only anchors.
        voucher: which other root vouches for the chain, dates apart.
        twin: the path to a staging root whose production twin no public store has; only if there
            is none to another root.
        look_alike: the known root whose name, but not whose key, the end of the chain has, as in
            "a public root".
        private: the names of the roots of private CAs that were fetched.
        refused: the server wants a certificate from its clients, and turned us away.
        address: the IP address that answered.
        tls, cipher: what was agreed on.
    """

    presented: tuple[Certificate, ...]
    chain: tuple[Certificate, ...]
    flaws: tuple[Flaw, ...]
    voucher: Voucher | None = None
    twin: tuple[Certificate, ...] = ()
    look_alike: str = ""
    private: tuple[str, ...] = ()
    refused: bool = False
    address: str = ""
    tls: str = ""
    cipher: str = ""
