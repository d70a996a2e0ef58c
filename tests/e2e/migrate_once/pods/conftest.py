"""Fixtures for tests in pods: a database that these can reach, and agtool's image on the node."""

from tests.e2e.migrate_once.pods.fixtures import agtool_image, pod_postgresql, shop

__all__ = ["agtool_image", "pod_postgresql", "shop"]
