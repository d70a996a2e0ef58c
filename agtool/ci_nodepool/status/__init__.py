"""`status`: look (at the cluster), judge (what does not fit together)."""
