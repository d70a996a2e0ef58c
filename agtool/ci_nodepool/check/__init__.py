"""`check`: pools (what is known of the nodes), judge (what will be, before it is). Pure."""
