"""Where the hosts come from: the command line, a file, a cluster, manifests."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from agtool.core.errors import ConfigurationError, UsageError, without_effect
from agtool.core.options import ClusterOptions, Namespace, flag, option, path
from agtool.core.output import say

if TYPE_CHECKING:
    from agtool.core.finding import Finding
    from agtool.le_staging.cluster.objects import Served
    from agtool.le_staging.cluster.read import Found
    from agtool.le_staging.verify.checker import Checker, Report
    from agtool.le_staging.verify.judge import Verdict
    from agtool.le_staging.verify.target import Override, Target

FromFile = Annotated[
    Path | None,
    path("FILE", "Also check the hosts in FILE, one on each line; - stands for stdin."),
]

FromCluster = Annotated[
    bool,
    flag(
        "Check the hosts of Ingresses, Gateways, their routes and Certificates, and their Secrets.",
        "--from-cluster",
    ),
]

FromManifests = Annotated[
    Path | None,
    path("FILE", "Check those of the manifests in FILE; - stands for stdin. Needs no cluster."),
]

AllNamespaces = Annotated[bool, flag("Of all namespaces.", "-A", "--all-namespaces")]

Via = Annotated[
    str | None,
    option("ADDRESS", "Connect to this address for the hosts of the cluster or the manifests."),
]

Offline = Annotated[bool, flag("Connect to no host: check what the Secrets have.", "--offline")]

PrintRbac = Annotated[
    bool, flag("Print the rights that --from-cluster needs, and do nothing.", "--print-rbac")
]


class Jobs(NamedTuple):
    """What is to be checked.

    Attributes:
        lines: each host as it was given, and what it is, or what is wrong with it.
        served: for a line that an object of Kubernetes serves, by its place.
        found: what was read of Kubernetes; None: nobody asked for it.
        overrides: where their load balancers are.
    """

    lines: "list[tuple[str, Target | UsageError]]"
    served: "dict[int, Served]"
    found: "Found | None"
    overrides: "tuple[Override, ...]"

    @property
    def targets(self) -> "list[Target | UsageError]":
        """All of them."""
        return [target for _, target in self.lines]

    @property
    def warnings(self) -> "list[Finding]":
        """What could not be read."""
        return self.found.warnings if self.found else []

    def told(
        self, checker: "Checker", expected: "Verdict"
    ) -> "Callable[[int, Report | None], Report]":
        """What makes a report of a line: from that of its host, or without it (None)."""
        if not self.found:
            return lambda _, report: _sure(report)
        from agtool.le_staging.cluster.compare import offline, stored_of, together
        from agtool.le_staging.cluster.issuance import unfinished

        due, secrets = unfinished(self.found.objects), self.found.secrets

        def tell(number: int, report: "Report | None") -> "Report":
            one = self.served.get(number)
            if one is None:
                return _sure(report)
            target = self.lines[number][1]
            assert not isinstance(target, UsageError)  # noqa: S101  # it would have no object
            stored = stored_of(one, target, secrets, checker.looker)
            made = report or offline(target, stored, expected)
            told = stored if report else None
            if report is None:
                made = made._replace(source=one.source)
            missing = due.get(one.secret) if one.secret else None
            return together(made, one, told, missing, expected)

        return tell


def _sure(report: "Report | None") -> "Report":
    assert report  # noqa: S101  # --offline has hosts of objects only
    return report


class Sources(NamedTuple):
    """Where the hosts come from."""

    from_file: FromFile = None
    from_cluster: FromCluster = False
    from_manifests: FromManifests = None
    namespace: Namespace = None
    all_namespaces: AllNamespaces = False
    via: Via = None
    offline: Offline = False
    print_rbac: PrintRbac = False

    @staticmethod
    def rbac() -> str:
        """The manifest of --print-rbac, without its last line feed."""
        from agtool.le_staging.cluster.read import RBAC

        return RBAC.rstrip()

    def jobs(self, hosts: list[str], port: int, cluster: ClusterOptions) -> Jobs:
        """Everything that was given. Raises UsageError when there is no host at all."""
        self._check(hosts, cluster)
        listed = list(hosts)
        if self.from_file is not None:
            lines = (line.partition("#")[0].strip() for line in _text(self.from_file).splitlines())
            listed += [line for line in lines if line]
        found = self._found(cluster)
        given = _distinct(listed, port)
        if not given and not found:
            raise UsageError(
                "no host was given", hint="Name at least one host, or use --from-file."
            )
        wrong = [error for _, error in given if isinstance(error, UsageError)]
        if wrong and len(wrong) == len(given) and self.from_file is None and not found:
            raise wrong[0]  # with nothing to check, it is the command line that is wrong
        return self._with_objects(given, found)

    def _check(self, hosts: list[str], cluster: ClusterOptions) -> None:
        objects = self.from_cluster or self.from_manifests is not None
        if self.offline and (not objects or hosts or self.from_file):
            raise without_effect(
                "--offline",
                "for hosts that are named",
                "Use it with --from-manifests or --from-cluster.",
            )
        for name, given in (("--via", self.via), ("--offline", self.offline)):
            if given and not objects:
                raise without_effect(name, "without --from-cluster or --from-manifests")
        names = ("--context", "--kubeconfig", "--as", "--as-group")
        of_cluster: dict[str, object] = {"--namespace": self.namespace, "-A": self.all_namespaces}
        of_cluster |= zip(names, cluster, strict=True)
        for name, value in of_cluster.items():
            if value and not self.from_cluster:
                raise without_effect(name, "without --from-cluster")

    def _found(self, cluster: ClusterOptions) -> "Found | None":
        if not self.from_cluster and self.from_manifests is None:
            return None
        from agtool.le_staging.cluster import read

        if self.from_manifests is not None:
            from agtool.le_staging.stored.read import documents

            try:
                listed = list(documents(_text(self.from_manifests).encode()))
            except ValueError as error:
                raise ConfigurationError(
                    f"cannot read {self.from_manifests}: {error}",
                    hint="Give manifests in YAML or JSON.",
                ) from error
            return read.of_manifests(listed)
        with cluster.session(namespace=self.namespace) as session:
            found = read.read(session, None if self.all_namespaces else session.namespace)
        for warning in found.warnings:
            say(warning.message, level="warning")
        return found

    def _with_objects(
        self, given: "list[tuple[str, Target | UsageError]]", found: "Found | None"
    ) -> Jobs:
        if not found:
            return Jobs(given, {}, None, ())
        from agtool.le_staging.cluster.objects import served
        from agtool.le_staging.verify.target import Override, is_address, parse

        lines, places, overrides = list(given), {}, []
        for one in served(found.objects):
            try:
                target: Target | UsageError = parse(one.host, one.port)
            except UsageError as error:
                lines.append((one.host, error))
                continue
            places[len(lines)] = one
            lines.append((one.host, target))
            if isinstance(target, UsageError):
                continue
            addresses = (self.via,) if self.via else one.addresses
            numbers = tuple(address for address in addresses if is_address(address))
            if numbers:
                overrides.append(Override(target.host, one.port, "", 0, numbers))
            elif addresses:
                overrides.append(Override(target.host, one.port, addresses[0], 0))
        if not lines:
            raise ConfigurationError(
                "no object serves a host with TLS",
                hint="Check the namespace (-n, -A), and tls: of the Ingresses.",
            )
        return Jobs(lines, places, found, tuple(overrides))


def _distinct(listed: list[str], port: int) -> "list[tuple[str, Target | UsageError]]":
    from agtool.le_staging.verify.target import parse

    found: dict[Any, tuple[str, Target | UsageError]] = {}
    for text in listed:
        try:
            target = parse(text, port)
            found.setdefault(target, (text, target))
        except UsageError as error:
            found.setdefault(text, (text, error))
    return list(found.values())


def _text(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig")  # with the mark that Windows puts in front
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text (UTF-8)"
        raise ConfigurationError(
            f"cannot read {file}: {reason}", hint="Name a file that can be read."
        ) from error
