"""Lists and changes over real sockets, while records change and the network fails: nothing lost, nothing twice."""

import pytest

from tests.support.socket_histories import KINDS, play

COUNT = 45


@pytest.mark.parametrize("sortable", [True, False], ids=["sortable", "unsortable"])
@pytest.mark.parametrize("kind", KINDS)
def test_under_changes_and_faults_nothing_is_lost_or_repeated_and_no_task_is_left(kind, sortable):
    """360 histories of lists, with and without pages requested ahead, of stable lists, and of changes."""
    counts = play(kind, range(COUNT), sortable=sortable)
    assert counts["histories"] == COUNT
    # The histories contain the events that they test.
    assert min(counts["errors"], counts["cancelled"], counts["resumed"]) > 0
