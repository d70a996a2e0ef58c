"""Every application, by both methods."""

from pathlib import Path

import pytest

from tests.conftest import needed
from tests.e2e.migrate_once.pods.workload import Shop
from tests.images.applications import LARGE, SMALL, Application
from tests.images.scenario import METHODS, migrates


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("application", [*SMALL, *LARGE], ids=lambda each: each.name)
def test_one_run(shop: Shop, application: Application, method: str, tmp_path: Path) -> None:
    with needed():
        migrates(shop, application, method, tmp_path)
