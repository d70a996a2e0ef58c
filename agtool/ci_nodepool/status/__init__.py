"""`status`: look (at the cluster), pools, jobs (counted), judge (what does not fit together)."""
