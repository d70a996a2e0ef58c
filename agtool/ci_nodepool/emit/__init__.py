"""`emit`: helm (a runner's values), provider and pool (a pool's taint), admission, manifest."""
