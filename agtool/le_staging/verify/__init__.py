"""What `verify` does: from a host's name to a verdict that is curl's."""
