"""Tests: unit needs only Python, integration starts real servers, e2e runs the installed agtool."""
