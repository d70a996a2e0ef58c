"""`watch`: keep (the loop), reconcile (one node), health (its endpoint)."""
