"""Fixtures for tests in pods, and the time that an image and a killed run may take."""

from pathlib import Path

import pytest

from tests.e2e.conftest import agtool
from tests.e2e.migrate_once.pods.fixtures import agtool_image, pod_postgresql, shop

__all__ = ["agtool", "agtool_image", "pod_postgresql", "shop"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of these tests the time that it may take."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1200))
