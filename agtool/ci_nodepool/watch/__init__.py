"""`watch`: keep (the loop), reconcile (one node), health and metrics (its endpoint)."""
