"""`check`: stored chains, in every form, judged as if they were served."""

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from agtool.le_staging.stored.check import check, with_keys
from agtool.le_staging.stored.read import stored
from agtool.le_staging.verify import target
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.kept import Checked
from agtool.le_staging.verify.look import How, Looker
from tests.integration.le_staging.conftest import Authority, as_root
from tests.integration.le_staging.test_beside_curl import ROWS, Row
from tests.servers import tls
from tests.servers.certificates import Issued, to_pem

NAME = "shop.test"


def codes(checked: Checked) -> list[str]:
    """What is wrong."""
    return [problem.code for problem in checked.problems]


def looked_at(
    staging: Authority, *contents: bytes, names: tuple[str, ...] = (NAME,), password: str = ""
) -> list[Checked]:
    """Check these files."""
    looker = Looker(How((as_root(staging.root),)))
    found = [one for content in contents for one in stored("file", content, password or None)]
    hosts = [target.parse(name, 443) for name in names]
    return [check(one, hosts, looker) for one in with_keys(found)]


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_the_verdict_is_that_of_verify(row: Row, staging: Authority) -> None:
    """Which is curl's in each of these rows: test_beside_curl."""
    issued, sent = row.make(staging)
    pem = to_pem(*(issued.chain if sent is None else sent)).encode()
    (checked,) = looked_at(staging, pem, issued.key_pem.encode(), names=(row.host,))
    assert tuple(codes(checked)) == row.problems
    assert (checked.verdict is Verdict.staging) == (not row.problems)
    assert checked.key is True


def secret(issued: Issued, **entries: str) -> dict[str, Any]:
    """A Secret with its chain and key, or with other entries."""
    data = {"tls.crt": to_pem(*issued.chain), "tls.key": issued.key_pem} | entries
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "shop-tls", "namespace": "shop"},
        "data": encoded,
    }


def p12(issued: Issued, password: str) -> bytes:
    """Its chain and key as PKCS 12."""
    kind = serialization.BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(
        b"shop", issued.key, issued.certificate, issued.above[:-1], kind
    )


FORMS: dict[str, Callable[[Issued], bytes]] = {
    "PEM": lambda issued: to_pem(*issued.chain).encode(),
    "PEM with its key": lambda i: (i.key_pem + to_pem(*i.chain)).encode(),
    "PEM with text": lambda i: b"subject=x\r\n" + to_pem(*i.chain).replace("\n", "\r\n").encode(),
    "PKCS 12": lambda issued: p12(issued, "secret"),
    "JSON": lambda issued: json.dumps(secret(issued)).encode(),
    "YAML": lambda issued: _yaml(secret(issued)),
    "a list": lambda issued: json.dumps({"kind": "List", "items": [secret(issued)]}).encode(),
    "several documents": lambda i: b"kind: ConfigMap\n---\n" + _yaml(secret(i)) + b"---\n",
    "YAML whose base64 has lines": lambda issued: _yaml(_in_lines(secret(issued), "\n")),
    "JSON whose base64 has lines": lambda i: json.dumps(_in_lines(secret(i), "\r\n")).encode(),
    "stringData": lambda issued: _yaml(
        {
            "kind": "Secret",
            "stringData": {"tls.crt": to_pem(*issued.chain), "tls.key": issued.key_pem},
        }
    ),
}


def _in_lines(secret: dict[str, Any], end: str) -> dict[str, Any]:
    """As `base64` writes it without -w0, which the API server takes."""
    data = {
        name: end.join((*(text[at : at + 76] for at in range(0, len(text), 76)), ""))
        for name, text in secret["data"].items()
    }
    return {**secret, "data": data}


def _yaml(document: object) -> bytes:
    import yaml  # type: ignore[import-untyped]

    text: str = yaml.safe_dump(document)
    return text.encode()


@pytest.mark.parametrize("form", FORMS)
def test_every_form(form: str, staging: Authority) -> None:
    leaf = staging.intermediate.leaf(NAME)
    (checked,) = looked_at(staging, FORMS[form](leaf), password="secret")
    assert (checked.verdict, codes(checked)) == (Verdict.staging, [])
    assert checked.key is (None if form in {"PEM", "PEM with text"} else True)
    assert checked.stored.chain[0].sha256 == leaf.sha256


def test_der_and_a_key_in_der(staging: Authority) -> None:
    leaf = staging.root.leaf(NAME)
    key = leaf.key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (checked,) = looked_at(staging, leaf.der, key)
    assert (checked.verdict, checked.key) == (Verdict.staging, True)


def test_a_key_that_does_not_belong_to_it(staging: Authority) -> None:
    leaf, other = (staging.intermediate.leaf(NAME) for _ in range(2))
    (checked,) = looked_at(staging, to_pem(*leaf.chain).encode(), other.key_pem.encode())
    assert (checked.verdict, codes(checked), checked.key) == (
        Verdict.failed,
        ["key-mismatch"],
        False,
    )
    (checked,) = looked_at(staging, _yaml(secret(leaf, **{"tls.key": other.key_pem})))
    assert codes(checked) == ["key-mismatch"]


def test_of_several_chains_and_keys_each_gets_its_own(staging: Authority) -> None:
    one, two = (staging.intermediate.leaf(NAME) for _ in range(2))
    files = [one.key_pem, to_pem(*two.chain), two.key_pem, to_pem(*one.chain)]
    checked = looked_at(staging, *(text.encode() for text in files))
    assert [(found.key, codes(found)) for found in checked] == [(True, [])] * 2


def test_a_chain_in_the_wrong_order(staging: Authority) -> None:
    """nginx takes the first for its own, and does not start."""
    leaf = staging.intermediate.leaf(NAME)
    pem = to_pem(*reversed(leaf.chain)) + leaf.key_pem
    (checked,) = looked_at(staging, pem.encode())
    assert checked.verdict is Verdict.failed
    assert codes(checked)[0] == "wrong-order"
    assert "number 2" in checked.problems[0].message


@pytest.mark.parametrize(
    ("entry", "keep", "code"),
    [
        ("tls.key", 60, "unreadable-key"),  # within the block, as after a full disk
        ("tls.key", -27, "unreadable-key"),
        ("tls.key", 5, "unreadable-key"),
        ("tls.crt", -40, "unreadable"),
    ],
)
def test_what_is_cut_off_is_told(staging: Authority, entry: str, keep: int, code: str) -> None:
    """No server starts with it. In a file it is the same as in a Secret."""
    leaf = staging.intermediate.leaf(NAME)
    whole = {"tls.crt": to_pem(*leaf.chain), "tls.key": leaf.key_pem}
    cut = {**whole, entry: whole[entry][:keep]}
    (checked,) = looked_at(staging, _yaml(secret(leaf, **cut)))
    assert (checked.verdict, code in codes(checked)) == (Verdict.failed, True)
    if keep != 5:
        (checked,) = looked_at(staging, (cut["tls.key"] + cut["tls.crt"]).encode())
        assert (checked.verdict, code in codes(checked)) == (Verdict.failed, True)


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({"tls.crt": ""}, ["no-certificate"]),
        ({"tls.key": ""}, ["no-key"]),
        ({"tls.crt": "x"}, []),
        ({"tls.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}, []),
    ],
)
def test_secrets_that_lack_something(
    staging: Authority, changed: dict[str, str], problems: list[str]
) -> None:
    (checked,) = looked_at(staging, _yaml(secret(staging.intermediate.leaf(NAME), **changed)))
    assert checked.verdict is Verdict.failed
    assert checked.problems
    assert not problems or codes(checked) == problems
    for problem in checked.problems:
        assert problem.message[0].islower()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"\x30\x82", b"\xff\xfe\x00", b"{", b"- a\n- b\n", b"kind: Secret\ndata: 5\n"),
        *(b"kind: List\nitems: 3\n", b"kind: Secret\ntype: kubernetes.io/tls\n", b"[" * 5000),
        b"kind: Secret\ntype: kubernetes.io/tls\ndata: {tls.crt: '!', tls.key: [1]}\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
        b"a: &a [*a]\nkind: Secret\n",
    ],
)
def test_anything_else_is_one_failed_row(staging: Authority, content: bytes) -> None:
    (checked,) = looked_at(staging, content)
    assert checked.verdict is Verdict.failed
    assert checked.problems


def test_an_encrypted_key_is_compared_with_its_password_only(staging: Authority) -> None:
    leaf = staging.intermediate.leaf(NAME)
    key = leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    pem = to_pem(*leaf.chain).encode() + key
    for password, warned, fits in (
        ("", True, None),
        ("wrong", True, None),
        ("secret", False, True),
    ):
        (checked,) = looked_at(staging, pem, password=password)
        assert (checked.verdict, checked.key) == (Verdict.staging, fits)
        assert [w.code for w in checked.warnings] == (["encrypted-key"] if warned else [])
    for password in ("", "wrong"):
        (checked,) = looked_at(staging, p12(leaf, "secret"), password=password)
        assert codes(checked) == ["encrypted"]


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_an_encrypted_key_in_a_file_of_its_own(
    staging: Authority, encoding: serialization.Encoding
) -> None:
    """As beside its chain: a warning, unless another key is the one that fits."""
    one, two, third = (staging.intermediate.leaf(NAME) for _ in range(3))
    hidden = one.key.private_bytes(
        encoding,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    chains = [to_pem(*issued.chain).encode() for issued in (one, two)]
    for files, password, expected in (
        ([chains[0], hidden], "", [(None, ["encrypted-key"])]),
        ([hidden, chains[0]], "secret", [(True, [])]),
        ([*chains, hidden, two.key_pem.encode()], "", [(None, ["encrypted-key"]), (True, [])]),
        ([chains[0], third.key_pem.encode(), hidden], "", [(None, ["encrypted-key"])]),
    ):
        checked = looked_at(staging, *files, password=password)
        assert [(c.key, [w.code for w in c.warnings]) for c in checked] == expected
        assert {c.verdict for c in checked} == {Verdict.staging}
    (alone,) = looked_at(staging, hidden)
    assert (alone.verdict, codes(alone)) == (Verdict.failed, ["encrypted-key"])


def test_names(staging: Authority) -> None:
    pem = to_pem(*staging.intermediate.leaf(NAME, "www.shop.test").chain).encode()
    for names, problems in (
        ((), []),
        ((NAME, "www.shop.test"), []),
        ((NAME, "other.test"), ["wrong-name"]),
        (("*.shop.test",), ["wrong-name"]),
    ):
        (checked,) = looked_at(staging, pem, names=names)
        assert codes(checked) == problems
        assert (checked.verdict is Verdict.staging) == (not problems)


def test_what_openssl_made(staging: Authority, tmp_path: Path) -> None:
    """A PKCS 12 of the usual tool, with and without a password."""
    leaf = staging.intermediate.leaf(NAME)
    tls.tls_context(tmp_path, leaf)  # writes both files
    for password in ("", "secret"):
        argv = ["openssl", "pkcs12", "-export", "-in", "chain.pem", "-inkey", "key.pem"]
        argv += ["-out", "made.p12", "-passout", f"pass:{password}"]
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
        content = (tmp_path / "made.p12").read_bytes()
        (checked,) = looked_at(staging, content, password=password)
        assert (checked.verdict, checked.key) == (Verdict.staging, True)
