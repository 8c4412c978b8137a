"""How groups are named in NATS: one subject a group."""


class NatsChannels:
    """Names as `awxfast.group.<group>`, whose dots are written as `~`.

    Dots divide a subject into parts, none of which may be empty; `a..b` is a group, and no group has a `~`.
    """

    def __init__(self, prefix: str) -> None:
        self.wants = f"{prefix}.wants"
        self._groups = f"{prefix}.group."

    def of(self, group: str) -> str:
        """The channel of a group."""
        return self._groups + group.replace(".", "~")

    def group(self, channel: str) -> str:
        """The group of a channel, which `of` has made."""
        return channel.removeprefix(self._groups).replace("~", ".")
