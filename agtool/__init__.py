"""agtool: four techniques for people who run software on Kubernetes, as commands."""

__version__ = "0.1.0"
