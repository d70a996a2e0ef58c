"""Read by `migrate`."""
