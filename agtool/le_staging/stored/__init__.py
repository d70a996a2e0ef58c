"""Certificates that are stored and not, or not yet, served: files and Secrets."""
