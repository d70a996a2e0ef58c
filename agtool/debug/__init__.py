"""`agtool debug`: a shell in the cluster, which leaves nothing behind."""
