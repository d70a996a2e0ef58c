"""What a cluster, or its manifests, says of hosts: which there are, their Secrets, what is due."""
