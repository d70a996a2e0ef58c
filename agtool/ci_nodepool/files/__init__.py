"""Runners as they are kept in files: manifests, Helm values, TOML.

text (YAML with the place of each string in its file), template (Go template text in TOML),
configurations (where in which document a runner's configuration is), objects (manifests as a
cluster would have them), read (files -> runners), splice (a new text in the place of an old one).
Nothing here writes or asks a cluster.
"""
