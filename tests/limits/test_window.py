"""The rule of the window itself, without a clock, a store or a limiter."""

import msgspec
import numpy as np
import pytest

from cliniko_async.limits.window import (
    Backoff,
    LeaseUpdate,
    Rules,
    StepRequest,
    WindowState,
    is_idle,
    lease_id,
    limits_of,
    step,
)

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
    step(state, rules, ask("second", 2), now + 10 + rules.place_timeout + 1)
    assert is_idle(state, rules)


def test_a_process_granted_a_part_asks_again_as_soon_as_the_others_were_served():
    """At any moment of the clock, while permits are left."""
    state, rules, now = WindowState(), Rules(10, PERIOD), 1000.0
    pause = Backoff(paused_until=now + 10)
    step(state, rules, ask("first", interactive=8, backoff=pause), now)
    step(state, rules, ask("second", interactive=8), now)
    now += 10
    first = step(state, rules, ask("first", 2, interactive=8), now)["interactive"]
    assert first.count == 5
    assert state.interactive.wanted == 8 + 3
    assert first.delay == pytest.approx(rules.step_delay)
    second = step(state, rules, ask("second", 2, interactive=8), now)["interactive"]
    assert second.count == 2
    assert state.interactive.wanted == 3 + 6
    assert second.delay == pytest.approx(rules.step_delay)


def test_a_step_that_arrives_twice_is_done_once_and_number_0_each_time():
    state, rules = WindowState(), Rules(10, PERIOD)
    for _ in range(3):
        assert step(state, rules, ask("first", 7, interactive=2), 1000.0)["interactive"].count == 2
    assert state.held == 2
    for _ in range(2):
        step(state, rules, ask("second", 0, interactive=1), 1000.0)
    assert len(state.last_steps) == 1


def test_a_step_that_arrives_after_a_later_one_of_its_process_is_not_done():
    state, rules = WindowState(), Rules(10, PERIOD)
    late = ask("first", 1, interactive=2, updates=[LeaseUpdate("first:9", "bulk", 1060.0)])
    step(state, rules, late, 1000.0)
    step(state, rules, ask("first", 2), 1000.0)
    grants = step(state, rules, late, 1000.0)
    assert state.held == 3
    assert not any(grant.count for grant in grants.values())


def test_a_repeated_step_says_to_ask_again_at_once():
    """Its reply was lost, and the delay that it named may have passed since."""
    state, rules = WindowState(), Rules(3, PERIOD)
    request = ask("first", interactive=5)
    grant = step(state, rules, request, 1000.0)["interactive"]
    assert (grant.count, grant.delay) == (3, pytest.approx(rules.hold))
    again = step(state, rules, request, 1010.0)["interactive"]
    assert (again.count, again.delay) == (3, 0.0)


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
def test_a_process_that_no_longer_waits_gives_its_place_to_the_next(priority):
    state, rules, now = WindowState(), Rules(1, PERIOD), 1000.0
    step(state, rules, ask("first", backoff=Backoff(paused_until=now + 10), **{priority: 1}), now)
    step(state, rules, ask("first", 2), now + 10)
    assert step(state, rules, ask("second", **{priority: 1}), now + 10)[priority].count == 1


@pytest.mark.parametrize(("late", "count"), [(3.2, 0), (3.3, 1)])
def test_a_process_keeps_its_place_if_it_asks_again_within_its_patience(late, count):
    state, rules, now = WindowState(), Rules(1, PERIOD), 1000.0
    step(state, rules, ask("first", interactive=1, backoff=Backoff(paused_until=now + 10)), now)
    assert step(state, rules, ask("second", interactive=1), now + 10 + late)["interactive"].count == count


def test_a_process_that_asks_again_too_late_keeps_its_place_if_no_other_asked_meanwhile():
    state, rules, now = WindowState(), Rules(1, PERIOD), 1000.0
    step(state, rules, ask("first", interactive=1, backoff=Backoff(paused_until=now + 10)), now)
    step(state, rules, ask("second", interactive=1), now)
    assert step(state, rules, ask("first", 2, interactive=1), now + 15)["interactive"].count == 1


@pytest.mark.parametrize(
    ("report", "idle_after"),
    [
        (ask("first", backoff=Backoff(paused_until=1010.0)), 10),
        # The next guess is twice this one for a period after it.
        (ask("first", backoff=Backoff(1000.0, 15.0, 1000.0)), PERIOD),
    ],
    ids=["pause", "guess"],
)
def test_a_window_that_remembers_a_429_is_not_idle(report, idle_after):
    state, rules, now = WindowState(), Rules(10, PERIOD), 1000.0
    step(state, rules, report, now)
    for seconds in (0, idle_after - 1, idle_after):
        step(state, rules, ask("second", 0), now + seconds)
        assert is_idle(state, rules) == (seconds == idle_after)


@pytest.mark.parametrize("in_flight", [True, False], ids=["in flight", "settled"])
def test_a_window_that_holds_a_permit_is_not_idle(in_flight):
    """Else its state would be dropped, and the permit granted twice."""
    state, rules, now = WindowState(), Rules(10, PERIOD, lease=5.0), 1000.0
    step(state, rules, ask("first", interactive=1), now)
    lease = LeaseUpdate(lease_id("first", 1), "interactive", now + rules.lease_hold, in_flight)
    for seconds in (0, rules.lease_hold - 1, rules.lease_hold):
        step(state, rules, ask("first", 0, updates=[] if seconds else [lease]), now + seconds)
        assert is_idle(state, rules) == (seconds == rules.lease_hold)


def test_a_window_in_which_bulk_has_to_wait_for_its_turn_is_not_idle():
    state, rules, now = WindowState(), Rules(10, PERIOD), 1000.0
    step(state, rules, ask("first", bulk=1), now)
    cancelled = LeaseUpdate(lease_id("first", 1), "bulk", now)
    for seconds in (0, rules.bulk_interval - 1, rules.bulk_interval):
        step(state, rules, ask("first", 0, updates=[cancelled]), now + seconds)
        assert state.held == 0
        assert is_idle(state, rules) == (seconds == rules.bulk_interval)


def busy_window(rules: Rules, now: float) -> WindowState:
    """A window with permits in flight and settled ones at both priorities, a guessed pause, and processes that wait."""
    state = WindowState()
    for priority in ("interactive", "bulk"):
        for number in range(2 if priority == "interactive" else 1):
            step(state, rules, ask("first", 0, **{priority: 1}), now + number)
            lease = LeaseUpdate(lease_id("first", 1), priority, now + number + rules.hold)
            step(state, rules, ask("first", 0, updates=[lease]), now + number)
        step(state, rules, ask("second", 0, **{priority: 1}), now + 10)
    step(state, rules, ask("third", 1, interactive=2, bulk=2, backoff=Backoff(now + 30, 15.0, now + 30)), now + 11)
    return state


def test_limits_count_what_is_in_flight_and_what_is_settled_at_both_priorities():
    rules, now = Rules(10, PERIOD), 1000.0
    limits = limits_of(busy_window(rules, now), rules)
    assert (limits.used, limits.remaining) == (5, 5)


def test_after_its_clock_was_set_back_a_window_continues_as_if_no_time_had_passed():
    rules, now, back = Rules(5, PERIOD, lease=5.0), 10_000.0, 7000.0
    one, other = busy_window(rules, now), busy_window(rules, now)
    step(other, rules, ask("fourth", 0), now + 11 - back)
    for seconds in (11, 12, 31, 35, 40, 61, 75, 100, 200):
        in_one, in_other = (
            step(state, rules, ask("fourth", 0, interactive=1, bulk=1), moment)
            for state, moment in ((one, now + seconds), (other, now + seconds - back))
        )
        for priority, grant in in_one.items():
            assert in_other[priority].count == grant.count
            assert in_other[priority].delay == pytest.approx(grant.delay)
            assert limits_of(other, rules).waits[priority] == pytest.approx(limits_of(one, rules).waits[priority])
        assert limits_of(other, rules).used == limits_of(one, rules).used
        assert len(other.last_steps) == len(one.last_steps)
    assert not one.last_steps


@pytest.mark.parametrize("offset", [-100.0, 0.0, 100.0])
def test_a_permit_is_free_at_the_moment_that_its_process_reports_by_its_own_clock(offset):
    """The clock of the window is `offset` seconds ahead of that of the process."""
    state, rules, now = WindowState(), Rules(1, PERIOD), 1000.0
    step(state, rules, ask("first", interactive=1), now, offset)
    lease = LeaseUpdate(lease_id("first", 1), "interactive", now - offset + 7)
    step(state, rules, ask("first", 2, updates=[lease]), now, offset)
    assert step(state, rules, ask("second", interactive=1), now)["interactive"].delay == pytest.approx(7)


def test_the_guess_of_a_process_is_adopted_on_the_clock_of_the_window_if_it_is_newer():
    """The clock of the process is a hundred seconds behind, so that its moments look older than they are."""
    state, rules, now, offset = WindowState(), Rules(10, PERIOD), 1000.0, 100.0
    step(state, rules, ask("first", backoff=Backoff(now + 15, 15.0, now + 15)), now)
    step(state, rules, ask("second", backoff=Backoff(now - 55, 30.0, now - 55)), now + 15, offset)
    assert state.backoff == Backoff(now + 45, 30.0, now + 45)
    step(state, rules, ask("third", backoff=Backoff(now - 80, 60.0, now - 80)), now + 16, offset)
    assert state.backoff == Backoff(now + 45, 30.0, now + 45)


def test_the_numbers_of_numpy_are_kept_as_plain_ones():
    """Else the state could not be encoded for a store."""
    state, rules = WindowState(), Rules(np.int64(10), np.float32(60), np.float64(0.5), np.float32(1))
    step(state, rules, ask("first", interactive=1, bulk=1), 1000.0)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=WindowState) == state


def test_the_next_permit_is_the_one_that_is_free_first_whatever_its_priority():
    state, rules, now = WindowState(), Rules(3, PERIOD), 1000.0
    step(state, rules, ask("first", interactive=2), now)
    step(state, rules, StepRequest("first", 2, 3, 0, 1), now)
    moments = {("interactive", 1): 50, ("interactive", 2): 40, ("bulk", 3): 30}
    leases = [LeaseUpdate(lease_id("first", lease), name, now + after) for (name, lease), after in moments.items()]
    step(state, rules, ask("first", 3, updates=leases), now)
    waits = [step(state, rules, ask("second", 0, interactive=1), now + after)["interactive"].delay for after in (0, 20)]
    assert waits == pytest.approx([30, 10])
