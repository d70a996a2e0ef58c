"""The pod that gitlab-runner makes for a job, as far as its placement goes. Pure.

decode (TOML as gitlab-runner reads it), build (settings -> the pod's specification), patches (its
`pod_spec`), accepted (what the API server refuses). Nothing here knows where a configuration comes
from.

Facts: gitlab-runner 19.4, common/config.go and executors/kubernetes, and what the real one did.
"""
