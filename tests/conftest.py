"""Shared by all tests: one thread, and real data only where a mirror is named."""

from __future__ import annotations

import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)


STARTED = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, help="begin no test after this many minutes; those left are skipped")


def pytest_runtest_setup(item: pytest.Item) -> None:
    minutes = item.config.getoption("--minutes")
    if minutes is not None and time.monotonic() - STARTED > 60 * minutes:
        pytest.skip(f"not begun: the {minutes:g} minutes of --minutes are over")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # The quick tests of a file share its fixtures, so one worker runs them.
        if not item.get_closest_marker("xdist_group") and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
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
