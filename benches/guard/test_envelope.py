"""A queue entry: from msgpack to type, text and channels."""

import msgpack
from awxfast._rust import EntryFormat, decode_envelope

from guard.comparison import Compare
from guard.samples import RANDOM_PREFIX, event_text, queue_entry


def test_envelope(compare: Compare) -> None:
    entry = queue_entry(event_text(1024))
    prefix = len(RANDOM_PREFIX)
    entry_format = EntryFormat(prefix_length=prefix)
    assert decode_envelope(entry, entry_format)[1].decode() == event_text(1024)
    compare(lambda: decode_envelope(entry, entry_format), lambda: msgpack.unpackb(entry[prefix:]))
