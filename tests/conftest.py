"""What all tests share: the environment of built notebooks, and how Hypothesis searches."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import kernel

# Before any test module imports TensorFlow, and for the kernels that nbval starts.
os.environ.update(kernel.environment())

# `make test` gives the same verdict twice; weekly.yml looks further: --hypothesis-profile=search.
slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("book", deadline=None, derandomize=True, suppress_health_check=slow)
settings.register_profile(
    "search", deadline=None, max_examples=200, print_blob=True, suppress_health_check=slow
)
settings.load_profile("book")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[1]
