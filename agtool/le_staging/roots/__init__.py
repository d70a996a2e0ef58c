"""The staging roots: which they are, where they lie, how they are fetched."""
