"""The pod: what it is made of, its life from creation to removal, and those that are there."""
