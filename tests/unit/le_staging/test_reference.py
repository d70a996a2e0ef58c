"""The documentation of verify, fetch, curl and status says what the program does."""

import json
import re
import shlex
from pathlib import Path

from agtool.core.command import plain
from agtool.le_staging.cli.report import as_data
from agtool.le_staging.verify import judge
from agtool.le_staging.verify.checker import Report
from agtool.le_staging.verify.evidence import Evidence, Flaw
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.target import PORTS
from tests.unit.le_staging.test_browser_reference import help_of
from tests.unit.le_staging.test_judge import HOST, LEAF, NOW, R11, ROOT
from tests.unit.test_reference import examples, rows, shape

ROOT_FOLDER = Path(__file__).parents[3]
REFERENCE = (ROOT_FOLDER / "docs/reference/le-staging.md").read_text(encoding="utf-8")
HOW_TO = (ROOT_FOLDER / "docs/how-to/le-staging.md").read_text(encoding="utf-8")
COMMANDS = ("verify", "check", "fetch", "curl", "env", "status")


def test_the_how_to_uses_no_other_option() -> None:
    lines = re.findall(r"agtool le-staging (\w+)(.*)", HOW_TO.replace("\\\n", " "))
    assert {command for command, _ in lines} >= {"verify", "fetch", "curl"}
    for command, rest in lines:
        words = shlex.split(rest.partition("`")[0].partition("|")[0], comments=True)
        used = {word for word in words if word.startswith("--") and word != "--"}
        assert used <= {*help_of(command)}, (command, used)


def documented_codes() -> set[str]:
    """The problems and the warnings of which the reference says what helps."""
    text = REFERENCE.partition("### Problems")[2].partition("###")[0]
    text += REFERENCE.partition("### Hosts of a cluster")[2].partition("###")[0]
    text += REFERENCE.partition("## check")[2].partition("## fetch")[0]
    cells = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    prose = REFERENCE.partition("Warnings do not change")[2].partition("###")[0]
    notes = {"wildcard", "several-addresses"}
    found = set(re.findall(r"`([a-z-]+)`", "".join(cells) + prose + "`encrypted-key`"))
    return {code for code in found if not code.startswith("-")} - notes


def test_reference_has_every_problem() -> None:
    folder = ROOT_FOLDER / "agtool/le_staging"
    files = [*(folder / "verify").glob("*.py"), *(folder / "stored").glob("*.py")]
    files += (folder / "cluster").glob("*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    used = set(re.findall(r'(?:Finding|NoTls)\(\s*"([a-z-]+)"', source))
    used |= set(re.findall(r'\d+: \("([a-z-]+)"', source)) | {"refused-by-openssl"}
    used |= set(re.findall(r'^        "([a-z]+-[a-z]+)",$', source, re.MULTILINE))
    used |= set(re.findall(r'_Origin\(\s*r"[^"]*", "([a-z-]+)"', source))
    assert len(used) > 30
    assert documented_codes() == used - {"wildcard", "several-addresses"}


def test_reference_has_every_verdict_and_protocol() -> None:
    verdicts = [cells[0] for cells in rows(REFERENCE, "Verdicts")]
    assert verdicts == ["verdict", *(verdict.value for verdict in Verdict)]
    (*_, meaning) = next(cells for cells in rows(REFERENCE, "verify") if "--starttls" in cells[0])
    protocols, _, ports = meaning.partition(" Ports: ")
    assert re.findall(r"[a-z0-9]+", protocols.partition("TLS: ")[2].replace(" or ", " ")) == [
        name for name in PORTS if name
    ]
    assert re.findall(r"\d{2,}", ports) == [str(PORTS[name]) for name in PORTS if name]


def test_the_json_example_has_the_shape_of_the_real_thing() -> None:
    (example,) = (
        document for document in map(json.loads, examples(REFERENCE, "json")) if "hosts" in document
    )
    later = NOW.replace(year=NOW.year + 1)
    chain = (LEAF, *(c._replace(not_after=later) for c in (R11, ROOT)))
    flaws = (Flaw(10, 0),)
    evidence = Evidence(chain, chain, flaws, address="192.0.2.7", tls="TLSv1.3", cipher="TLS")
    found = judge.judge(HOST, evidence, {ROOT.sha256}, later)
    report = Report(HOST, found.verdict, False, found.problems, (), evidence, found, later, 0.1)
    (real,) = plain(as_data(Verdict.staging, [report]))["hosts"]
    # The example shows one certificate of each list.
    short = {**real, "chain": real["chain"][:1], "presented": real["presented"][:1]}
    assert [shape(short)] == [shape(host) for host in example["hosts"]]
