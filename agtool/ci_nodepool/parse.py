"""What people write on the command line, and paste from the web -> labels, taints, nodes. Pure.

Valid is what kubectl takes (kubectl taint's utils.go; apimachinery's util/validation).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agtool.ci_nodepool.model import EFFECTS, Identity, Label, Taint
from agtool.core.errors import UsageError

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_FORM = "letters, digits, '-', '_', '.', 63 at most, with a letter or digit at both ends."
_QUOTES = "\"'`\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"  # noqa: E501


def split_arguments(arguments: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The names of nodes, and the labels and taints, by what no node's name can hold."""
    nodes, specs = [], []
    for argument in arguments or ():
        name = re.sub(r"^(nodes?|no)/", "", argument)
        if any(c in name for c in "=:/") or name.endswith("-"):
            specs.append(argument)
        elif not _SUBDOMAIN.fullmatch(name) or len(name) > 253:
            raise UsageError(
                f"{argument!r} is neither the name of a node nor a label or taint",
                hint="A label is KEY=VALUE, a taint KEY=VALUE:EFFECT.",
            )
        else:
            nodes.append(name)
    return list(dict.fromkeys(nodes)), specs


def namespace_of_runner(runner: str | None, namespace: str | None) -> str | None:
    """The namespace in which a runner is, [NAMESPACE/]NAME; None: in any.

    Raises:
        UsageError: it is not written so, or is in another `namespace` than the one that is given.
    """
    if runner is None:
        return namespace
    parts = runner.split("/")
    if len(parts) > 2 or not all(map(_SUBDOMAIN.fullmatch, parts)):
        raise UsageError(
            f"--runner {runner!r} is not the name of a runner",
            hint="Write it as NAMESPACE/NAME or NAME, the name of its Deployment.",
        )
    if len(parts) == 1:
        return namespace
    if namespace not in (None, parts[0]):
        raise UsageError(
            f"--runner {runner} is not in the namespace {namespace}",
            hint="Leave out --namespace, or name a runner in it.",
        )
    return parts[0]


def namespace_of_runners(runners: Sequence[str], namespace: str | None) -> str | None:
    """The namespace in which all of these runners are; None: in any.

    Raises: as `namespace_of_runner`.
    """
    places = {namespace_of_runner(runner, namespace) for runner in runners}
    return places.pop() if len(places) == 1 else namespace


def parse_label(spec: str) -> Label:
    """KEY=VALUE, with quotes around the value or without."""
    text = _unquoted(spec)
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{spec!r} is not a valid label", hint="Write it as KEY=VALUE.")
    return Label(_key(key, spec), _value(value, spec))


def parse_label_key(spec: str) -> Identity:
    """KEY, KEY- or KEY=VALUE, for a label to remove."""
    return _key(_unquoted(spec).removesuffix("-").partition("=")[0], spec), ""


def parse_taint(spec: str) -> Taint:
    """KEY=VALUE:EFFECT or KEY:EFFECT, with quotes around the value or without."""
    text = _unquoted(spec)
    rest, colon, effect = text.rpartition(":")
    if not colon:
        raise UsageError(
            f"{spec!r} is not a valid taint: it has no effect",
            hint=f"Write it as KEY=VALUE:EFFECT. The effects are {', '.join(EFFECTS)}.",
        )
    key, _, value = rest.partition("=")
    return Taint(_key(key, spec), _value(value, spec), _effect(effect, spec))


def parse_taint_match(spec: str) -> Identity:
    """KEY (of any effect), KEY:EFFECT or KEY=VALUE:EFFECT, each with `-` at its end or without.

    The value does not matter, as in kubectl: a key and an effect make a taint.
    """
    text = _unquoted(spec).removesuffix("-")
    rest, colon, effect = text.rpartition(":")
    key = (rest if colon else text).partition("=")[0]
    return _key(key, spec), _effect(effect, spec) if colon else ""


def split_selector(selector: str) -> list[str]:
    """The requirements of a selector, all of which must hold: KEY=VALUE, KEY in (A,B), KEY."""
    parts = re.findall(r"[^,(]*(?:\([^)]*\))?[^,(]*", selector)
    return [part.strip() for part in parts if part.strip()]


def parse_equality(requirement: str) -> Label | None:
    """KEY=VALUE or KEY==VALUE, a part of a selector; None: it is another kind of requirement."""
    if not re.fullmatch(r"[^=!()]+==?[^=!()]*", requirement):
        return None
    return parse_label(requirement.replace("==", "="))


def is_removal(spec: str) -> bool:
    """Whether it says, as in kubectl, that something is to be removed."""
    return _unquoted(spec).endswith("-")


def check_distinct(specs: Iterable[Identity]) -> None:
    """A key can be given one value, or be removed; a taint's key: for each effect."""
    seen: set[Identity] = set()
    for key, effect in specs:
        others = {e for k, e in seen if k == key}
        if effect in others or (others and "" in (*others, effect)):
            raise UsageError(f"{key} is given twice", hint="Give one value for it.")
        seen.add((key, effect))


def _unquoted(spec: str) -> str:
    """Quotes that stand around the whole, around its value, or around its key."""
    text = spec.strip()
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1]
    return re.sub(rf"(^|=)[{_QUOTES}]([^{_QUOTES}]*)[{_QUOTES}]", r"\1\2", text)


def is_key(text: str) -> bool:
    """Whether it can be the key of a label or taint."""
    prefix, slash, name = text.rpartition("/")
    fine = bool(_NAME.fullmatch(name)) and len(name) <= 63
    if slash:
        fine = fine and bool(_SUBDOMAIN.fullmatch(prefix)) and len(prefix) <= 253
    return fine


def is_value(text: str) -> bool:
    """Whether it can be the value of a label or taint."""
    return not text or bool(_NAME.fullmatch(text) and len(text) <= 63)


def _key(key: str, spec: str) -> str:
    if not is_key(key):
        raise UsageError(
            f"{spec!r} has an invalid key {key!r}", hint=f"A key is [DOMAIN/]NAME: {_FORM}"
        )
    return key


def _value(value: str, spec: str) -> str:
    if not is_value(value):
        raise UsageError(
            f"{spec!r} has an invalid value {value!r}", hint=f"A value is empty, or {_FORM}"
        )
    return value


def _effect(effect: str, spec: str) -> str:
    if effect not in EFFECTS:
        meant = next((e for e in EFFECTS if e.lower() == effect.lower()), None)
        raise UsageError(
            f"{spec!r} has an unknown effect {effect!r}",
            hint=f"Did you mean {meant}?" if meant else f"The effects are {', '.join(EFFECTS)}.",
        )
    return effect
