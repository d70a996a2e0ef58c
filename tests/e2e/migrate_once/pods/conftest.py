"""Fixtures for tests in pods: a database that these can reach, and agtool's image on the node."""

from pathlib import Path

import pytest

from tests.e2e.migrate_once.pods.fixtures import agtool_image, pod_postgresql, shop

__all__ = ["agtool_image", "pod_postgresql", "shop"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of these tests the time that pods, and images for the first time, may take."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))
