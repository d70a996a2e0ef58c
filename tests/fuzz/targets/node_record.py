"""The annotation in which ci-nodepool keeps what it did to a node, which anybody can edit."""

from agtool.ci_nodepool.pool.plan import owned, read_record, write_record


def check(data: bytes) -> None:
    """Its text."""
    text = data.decode(errors="replace")
    record = read_record(text)
    assert read_record(write_record(record)) == record
    assert len(owned(text)) == len(record)
