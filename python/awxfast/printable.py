"""Text from outside as people may see it: names of nodes, what peers, databases and Redis say."""

CUT = 200
"""Letters that are enough to know it by."""
LINE = 2_048
"""Letters of a whole line."""


def escape(text: str, most: int = CUT) -> str:
    r"""On one line, without line ends, terminal escapes and what reorders text, which are shown as `\\n`, `\\x1b`.

    At most so many letters of it.
    """
    text = text if len(text) <= most else text[:most] + "..."
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
