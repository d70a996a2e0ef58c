"""`agtool ci-nodepool`: CI jobs on preemptible nodes, kept that way."""
