"""The rule of the window itself, without a clock, a store or a limiter."""

import pytest

from cliniko_async.limits.window import Backoff, Rules, StepRequest, WindowState, is_idle, step

PERIOD = 60.0


def ask(process: str, number: int = 1, *, interactive: int = 0, bulk: int = 0, **more) -> StepRequest:
    return StepRequest(process, number, 1, interactive, bulk, **more)


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
def test_a_window_in_which_a_process_waits_is_not_idle(priority):
    """Else its state would be dropped, and with it the place in the queue."""
    state, rules, now = WindowState(), Rules(10, PERIOD), 1000.0
    pause = Backoff(paused_until=now + 10)
    grants = step(state, rules, ask("first", backoff=pause, **{priority: 1}), now)
    assert grants[priority].count == 0
    assert grants[priority].delay == pytest.approx(10)
    step(state, rules, ask("second"), now + 10)
    assert not is_idle(state, rules)
    step(state, rules, ask("second", 2), now + 10 + rules.patience + 1)
    assert is_idle(state, rules)


def test_who_got_a_part_asks_again_as_soon_as_the_others_were_served():
    """At any moment of the clock, while permits are left."""
    state, rules, now = WindowState(), Rules(10, PERIOD), 1000.0
    pause = Backoff(paused_until=now + 10)
    step(state, rules, ask("first", interactive=8, backoff=pause), now)
    step(state, rules, ask("second", interactive=8), now)
    now += 10
    first = step(state, rules, ask("first", 2, interactive=8), now)["interactive"]
    assert first.count == 5
    assert first.delay == pytest.approx(rules.courtesy)
    second = step(state, rules, ask("second", 2, interactive=8), now)["interactive"]
    assert second.count == 2
    assert second.delay == pytest.approx(rules.courtesy)


def test_a_step_that_arrives_twice_is_done_once_and_number_0_each_time():
    state, rules = WindowState(), Rules(10, PERIOD)
    for _ in range(3):
        assert step(state, rules, ask("first", 7, interactive=2), 1000.0)["interactive"].count == 2
    assert state.held == 2
    for _ in range(2):
        step(state, rules, ask("second", 0, interactive=1), 1000.0)
    assert len(state.last_steps) == 1
