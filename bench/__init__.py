"""Measurements against real servers, for `make bench`."""
