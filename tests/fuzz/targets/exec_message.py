"""What the API server's exec says of a command: any bytes have an answer."""

from agtool.core.kube.ended import read_status
from agtool.core.kube.errors import refusal
from agtool.debug.session.messages import after_output, decode, encode


def check(data: bytes) -> None:
    """A message."""
    channel, content = decode(data)
    assert encode(channel, bytes(content)) == data or not data
    for status in (data, bytes(content)):
        ended = read_status(status)
        assert ended.exit_code is None or 0 <= ended.exit_code <= 255
        assert after_output(ended, data[:1024]).exit_code in {ended.exit_code, 126}
    error = refusal(data[0] + 300 if data else 500, data, request="GET /", server="s", context="c")
    assert error.message
