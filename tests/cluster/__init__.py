"""A real Kubernetes for tests: built from its Go modules, and gone without a trace.

In tests, take the fixtures of `fixtures.py`:

- `control_plane`: etcd and kube-apiserver without controllers, for `fake_nodes` by the thousand.
- `scheduling`: the same with a scheduler, for nodes that stay as they are and pods that are placed.
- `cluster`: all of it, with one node on which pods run, in a `namespace` of the test's own.
- `restricted_user(server, rules)`: a kubeconfig with these rights only.
- `api_proxy(server)`: a proxy that is slow, cuts, refuses, or answers itself.

`AGTOOL_TEST_KUBECONFIG` names another cluster to use. `python -m tests.cluster up` starts one to
play with.

To read: `recipe.py` and `build.py` (the programs), `process.py` (one that runs), `instances.py`
(what is left when all else fails), `control_plane.py`, `machine.py`, `node.py`, `cluster.py`.
"""
