"""A GitLab runner.

model and find (what it is, and where), placement (where its jobs go), toml and edit (where a
toleration is written into its TOML), settings (what flags and environment say on top), plan (what
to change, and back), diff, rollout and change (doing it).
"""
