"""The session: a command in a container, with our own streams, over the API server's exec."""
