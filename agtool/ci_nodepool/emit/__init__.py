"""`emit`: helm (a runner's values), provider (a pool's taint), manifest (for `watch`)."""
