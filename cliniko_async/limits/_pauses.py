"""The pauses after a 429, without a clock: time goes in."""

import math

_FIRST_GUESS = 0.25


class Pauses:
    """The pause under way, and the last guess at one of which the server did not say how long it is."""

    def __init__(self, period: float) -> None:
        self.period = period
        self.paused_until = -math.inf
        self.guess = 0.0
        self.guess_until = -math.inf

    def pause(self, now: float, wait: float | None) -> float:
        """Pause for so many seconds, or for a guess, and return how long the pause is still."""
        seconds = self._next_guess(now) if wait is None else max(0.0, wait)
        self.paused_until = max(self.paused_until, now + seconds)
        return self.paused_until - now

    def learn(self, paused_until: float, guess: float, guess_until: float) -> None:
        """Take over what others who share the window know, where it is newer."""
        self.paused_until = max(self.paused_until, paused_until)
        if guess and guess_until > self.guess_until:
            self.guess, self.guess_until = guess, guess_until

    def _next_guess(self, now: float) -> float:
        # A request that was under way when the pause began does not say that the pause was too short.
        if now >= self.guess_until:
            in_a_row = now < self.guess_until + self.period
            guess = 2 * self.guess if in_a_row else _FIRST_GUESS * self.period
            self.guess = min(guess, self.period)
        self.guess_until = now + self.guess
        return self.guess
