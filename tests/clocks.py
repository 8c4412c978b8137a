"""A clock that stands still until the test moves it."""


class Clock:
    """Gives `now`, in seconds, to whoever asks."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
