"""`edit`: the change that sends jobs to a pool, in the file where their runner is kept. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agtool.ci_nodepool.files.configurations import Configuration
from agtool.ci_nodepool.files.place import replaced
from agtool.ci_nodepool.files.read import Found, jobs_in
from agtool.ci_nodepool.files.template import decides, masked
from agtool.ci_nodepool.files.text import File
from agtool.ci_nodepool.model import Taint
from agtool.ci_nodepool.presets import Pool
from agtool.ci_nodepool.runner.edit import add_setting
from agtool.ci_nodepool.runner.edit import edit as edit_toml
from agtool.ci_nodepool.runner.placement import CannotPatch, Tables, lacking, placement
from agtool.ci_nodepool.runner.plan import refuse_in_vain
from agtool.core.kube.errors import NotFoundError


@dataclass(frozen=True)
class FileEdit:
    """What is to change in a file.

    Attributes:
        after: the text that it shall have.
        added: what each runner gets, by its name; only those that change.
        as_wanted: the names of the others.
        settings: other lines that runners get, by their names.
    """

    file: File
    after: str
    added: dict[str, Tables] = field(default_factory=dict)
    as_wanted: tuple[str, ...] = ()
    settings: dict[str, list[str]] = field(default_factory=dict)

    @property
    def diff(self) -> str:
        """What changes, for people; values that may be secret are left out."""
        lines = difflib.unified_diff(
            _lines(self.file.text),
            _lines(self.after),
            f"{self.file.name} (now)",
            f"{self.file.name} (new)",
            lineterm="",
        )
        return "\n".join(map(_masked, lines))


def plan_edit(
    file: File,
    found: Sequence[Found],
    pool: Pool | None,
    taints: Sequence[Taint],
    *,
    names: Sequence[str] = (),
    prefer: bool = False,
    survive: bool = False,
) -> FileEdit:
    """The text of a file after which the jobs of its runners go to the pool.

    Args:
        found: the runners in the file.
        pool: to which jobs are sent; None: they go where they went.
        taints: that jobs shall tolerate; none: those that go with the pool.
        names: only these runners; none: all.
        prefer: rather to the pool than elsewhere; else only there.
        survive: add the settings that help jobs to survive the loss of a node.

    Raises:
        CannotPatch: a configuration cannot be edited here.
        NotFoundError: there is no such runner.
        UsageError: no runner can be sent to such a pool.
    """
    edit = FileEdit(file, file.text)
    as_wanted = []
    for each in _chosen(file, found, names):
        if each.place is None:
            raise CannotPatch(
                f"the configuration of {each.name} is not in {file.name}",
                hint="Add runners.config to the values. Print it: agtool ci-nodepool emit helm",
            )
        changed, done = each.configuration, Tables()
        if pool is not None:
            changed, done = _sent(each, pool, taints, prefer=prefer)
        settings: list[str] = []
        if survive:
            changed, settings = _surviving(changed)
        if not (done or settings):
            as_wanted.append(each.name)
            continue
        edit.added[each.name] = done
        edit.settings[each.name] = settings
        edit = replace(edit, after=replaced(edit.after, each.place, changed.text))
    return replace(edit, as_wanted=tuple(as_wanted))


def _sent(
    found: Found, pool: Pool, taints: Sequence[Taint], *, prefer: bool
) -> tuple[Configuration, Tables]:
    """The configuration with which jobs go to the pool, and what was added to it."""
    own = found.jobs[0].spec if len(found.jobs) == 1 else None
    wanted = placement(pool, taints, prefer=prefer, present=own)
    certain = own is not None and not found.jobs[0].doubts
    done, insertions = _edited(found, lacking(own or {}, wanted) if certain else wanted)
    changed = replace(found.configuration, text=_with(found.text, insertions))
    if done:
        refuse_in_vain(jobs_in(changed), wanted)
    return changed, done


def _surviving(configuration: Configuration) -> tuple[Configuration, list[str]]:
    """The configuration with what helps jobs to survive, and the lines that were added."""
    text, lines = configuration.text, []
    for own in jobs_in(configuration)[:1]:
        for setting in own.pod.advice:
            insertion = add_setting(masked(text), setting)
            text = _with(text, [insertion])
            lines.append(setting.line)
    return replace(configuration, text=text), lines


def _with(text: str, insertions: Sequence[tuple[int, str]]) -> str:
    for offset, piece in sorted(insertions):
        text = text[:offset] + piece + text[offset:]
    return text


def _edited(found: Found, wanted: Tables) -> tuple[Tables, Sequence[tuple[int, str]]]:
    """What is added to a configuration, and by which insertions."""
    try:
        # Offsets are the same in both, and the text is only inserted to.
        _, done = edit_toml(masked(found.text), wanted)
    except CannotPatch as error:
        more = "; Go template text may be why" if decides(found.text) else ""
        raise CannotPatch(f"{found.name}: {error.message}{more}", hint=error.hint) from error
    return done.added, done.insertions


def _chosen(file: File, found: Sequence[Found], names: Sequence[str]) -> Sequence[Found]:
    there = [each.name for each in found]
    if not found:
        raise NotFoundError(
            f"no runner was found in {file.name}",
            hint="agtool looks for runners.config in Helm values, for config.toml and "
            "config.template.toml in ConfigMaps, and for [[runners]] in TOML.",
        )
    for name in names:
        if name not in there:
            raise NotFoundError(
                f"there is no runner {name} in {file.name}", hint=f"These are: {', '.join(there)}"
            )
    return [each for each in found if not names or each.name in names]


_NAME = r"[\"']?[\w.-]*(?:token|password|secret|access_?key|private)[\w.-]*[\"']?"
_SECRET = re.compile(rf"(?i)^([ +-]\s*{_NAME}\s*[=:]\s*).+")


def _masked(line: str) -> str:
    return _SECRET.sub(r"\1...", line)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")
