"""One prepared world and one trained run for all tests of a session; what changes files copies them first."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from program import World  # noqa: E402


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    made.prepare()
    return made


@pytest.fixture(scope="session")
def trained(world):
    return world.train("trained", 40)
