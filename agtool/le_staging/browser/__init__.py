"""One browser profile that trusts the staging roots, and a launcher for it."""
