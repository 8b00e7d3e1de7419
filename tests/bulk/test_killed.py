"""A bulk create that is killed at any moment and started again creates each row once."""

from pathlib import Path

import pytest

from tests.support.killed_bulk import kill_and_repeat


@pytest.mark.parametrize("seed", range(2))
def test_each_row_is_there_once_however_often_it_is_killed_and_whatever_is_lost(seed: int, tmp_path: Path):
    """Five times between them; `make soak` kills it fifty times."""
    assert kill_and_repeat(tmp_path, seed, 2 + seed) == ""
