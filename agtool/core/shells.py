"""Completion in bash, zsh and fish: the scripts that ask agtool, and where they are installed.

They all ask as Typer's script for fish does: a line with what was typed, lines of values and their
meanings back. Typer's other scripts lose what stands before `:` and `=`, and Typer's for fish asks
twice.
"""

from __future__ import annotations

import os
from pathlib import Path

from agtool.core.errors import ConfigurationError
from agtool.core.home import home as home_folder

VARIABLE = "_AGTOOL_COMPLETE"
"""The environment variable with which a shell asks."""

_ASK = f"{VARIABLE}=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS"

_BASH = f"""\
_agtool_completion() {{
    local IFS=$'\\n' typed=${{COMP_LINE:0:COMP_POINT}} value kept=
    COMPREPLY=()
    # bash takes what follows these for a new word, and puts a value in the place of that only.
    value=${{typed##*[[:space:]]}}
    [[ $value == --*=* ]] && value=${{value#*=}}
    [[ $COMP_WORDBREAKS == *:* ]] && kept=${{value%"${{value##*:}}"}}
    for value in $({_ASK}="$typed" "$1" 2>/dev/null); do
        value=${{value%%$'\\t'*}}
        COMPREPLY+=("${{value#"$kept"}}")
    done
}}
complete -o default -F _agtool_completion agtool
"""

_ZSH = f"""\
#compdef agtool
_agtool() {{
    local line
    local -a values
    for line in ${{(f)"$({_ASK}="${{(j: :)words[1,CURRENT]}}" ${{~words[1]}} 2>/dev/null)"}}; do
        line=${{line//:/\\\\:}}
        values+=("${{line/$'\\t'/:}}")
    done
    [[ $PREFIX == --*=* ]] && compset -P '*='
    if (( $#values )); then _describe -V agtool values; else _files; fi
}}
if [[ $funcstack[1] == _agtool ]]; then
    _agtool "$@"
else
    (( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}
    compdef _agtool agtool
fi
"""

_FISH = f"""\
function __agtool_complete
    set --local token (commandline --current-token --cut-at-cursor)
    set --local option (string match --regex -- '^--[^=]*=' $token)
    set --local typed (commandline --current-process --cut-at-cursor | string collect)
    set --local values (env {_ASK}=$typed agtool 2>/dev/null)
    if test -n "$values"
        printf '%s\\n' "$option"$values
    else
        printf '%s\\n' "$option"(__fish_complete_path (string replace -- "$option" '' $token))
    end
end
complete --command agtool --no-files --arguments '(__agtool_complete)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

NAMES = tuple(_SCRIPTS)


def script(shell: str) -> str:
    """What a shell has to read to complete agtool's words. Raises KeyError: another shell."""
    return _SCRIPTS[shell]


def install(shell: str) -> Path:
    """Have a shell read its script when it starts; the file that holds it now.

    Raises:
        KeyError: another shell.
        ConfigurationError: there is no home folder, or a file in it cannot be written.
    """
    from agtool.core.files import write_atomically  # not at each start

    home = home_folder()
    zsh = Path(os.environ.get("ZDOTDIR") or home)
    fish = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish"
    path, settings, line = {
        "bash": (
            home / ".bash_completions/agtool.sh",
            home / ".bashrc",
            "source ~/.bash_completions/agtool.sh",
        ),
        "zsh": (
            home / ".zfunc/_agtool",
            zsh / ".zshrc",
            "fpath+=~/.zfunc; autoload -Uz compinit; compinit",
        ),
        "fish": (fish / "completions/agtool.fish", None, ""),
    }[shell]
    written = path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Half of a script would trouble every shell that starts.
        write_atomically(path.resolve(), script(shell).encode(), mode=0o644)
        if settings:
            written = settings
            _append(settings, line)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {written}: {error.strerror}",
            hint=f"Have the shell read the script: agtool --show-completion {shell}",
        ) from error
    return path


def _append(settings: Path, line: str) -> None:
    """Add a line to a file, once."""
    text = settings.read_text(encoding="utf-8") if settings.exists() else ""
    if line not in text.splitlines():
        before = "" if text.endswith("\n") or not text else "\n"
        with settings.open("a", encoding="utf-8") as file:
            file.write(f"{before}{line}\n")
