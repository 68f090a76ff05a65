"""Shared by all tests: one thread, and real data only where a mirror is named."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("CAPTIONLAB_MIRROR"):
        for item in items:
            if item.get_closest_marker("realdata"):
                item.add_marker(pytest.mark.skip(reason="CAPTIONLAB_MIRROR names no data mirror"))


@pytest.fixture
def root() -> Path:
    """The course's folder."""
    return ROOT


@pytest.fixture
def mirror() -> Path:
    """The data mirror that CAPTIONLAB_MIRROR names (for tests marked ``realdata``)."""
    return Path(os.environ["CAPTIONLAB_MIRROR"])
