"""A GitLab runner.

model, find, kept and by_hand (what it is, and where; reader: in a cluster or in files), pod (the
pod of a job), settings, read and jobs (what flags and environment say on top, and where its jobs
go), placement (where they shall go), toml, wishes and edit (where that is written into its TOML),
survival and manager (what helps jobs besides), ownership and fields (who else writes), plan (what
to change, and back), diff, rollout and change (doing it).
"""
