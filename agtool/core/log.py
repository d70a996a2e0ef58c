"""What agtool's own messages on stderr look like: lines for people, or JSON lines for programs."""

from typing import Literal, NamedTuple

Level = Literal["info", "warning", "error"]

VARIABLE = "AGTOOL_LOG_FORMAT"


class Message(NamedTuple):
    """One message.

    Attributes:
        text: what is so; sentences, each on a line of its own.
        code: a stable word for programs; of an error the one that its finding has.
        hint: what to do next; may be empty.
        fields: what the text says, for programs. None has the name of an attribute, or `time`.
    """

    text: str
    code: str
    level: Level
    hint: str
    fields: dict[str, object]


class Log:
    """The one of this process: like stderr, it is the same for whoever writes to it."""

    as_json = False


def formatted(message: Message) -> str:
    """The message as it is to be written, with the end of its last line."""
    return _as_json(message) if Log.as_json else _as_text(message)


def _as_text(message: Message) -> str:
    mark = "" if message.level == "info" else f"{message.level}: "
    lines = [*f"{mark}{message.text}".splitlines(), *message.hint.splitlines()]
    return "".join(f"agtool: {line}\n" for line in lines)


def _as_json(message: Message) -> str:
    """One line in ASCII, so that it stays one whatever the reader takes for the end of a line."""
    import json
    from datetime import datetime, timezone

    line = {
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "level": message.level,
        "code": message.code,
        "message": message.text,
        **({"hint": message.hint} if message.hint else {}),
        **message.fields,
    }
    return json.dumps(line, default=str) + "\n"
