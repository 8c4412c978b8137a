"""The texts of the benchmark's events: AWX's keys behind three of our own, which wsload reads.

The front is `{"stream": 3, "seq": 17, "t": 1795561314.123456789, ` with numbers padded by spaces, so that every text
of a stream has the same length. Streams number producers; `seq` counts from 0 within one; `t` is Unix time.
"""

NANOSECONDS = 1_000_000_000
AWX_CAPACITY = 10_000
"""Messages that a queue holds, in AWX's settings."""

_FRONT = b'{"stream": %d, "seq": %%10d, "t": %%10d.%%09d, '
_MIDDLE = (
    b'"id": 4711, "job": 42, "created": "2026-11-24T23:08:19.680331+00:00", "modified": '
    b'"2026-11-24T23:08:19.680331+00:00", "group_name": "job_events", "url": "/api/v2/job_events/4711", "counter": 17, '
    b'"uuid": "6b7f0c62-70f7-4a3c-a9e0-8a2a8f6f8a55", "parent_uuid": "", "start_line": 16, "end_line": 17, '
    b'"event": "runner_on_ok", "event_data": {"host": "web-1.example.org", "task": "ping"}, "failed": false, '
    b'"changed": false, "event_level": 3, "play": "all", "role": "", "task": "ping", "stdout": "'
)
_LINE = b"\\u001b[0;32mok: [web-1.example.org]\\u001b[0m "
_END = b'"}'


def text_template(stream: int, size: int) -> bytes:
    """A `%` template for `event_text` whose texts are `size` bytes long, ASCII and valid JSON; at least 800 bytes."""
    front = _FRONT % stream
    room = size - len(event_text(front, 0, 0)) - len(_MIDDLE) - len(_END)
    if room < 0:
        raise ValueError(f"an event of {size} bytes is too short, {size - room} are needed")
    whole_lines = _LINE * (room // len(_LINE))
    return front + _MIDDLE + whole_lines + b"." * (room - len(whole_lines)) + _END


def event_text(template: bytes, number: int, time_ns: int) -> bytes:
    """The text of event `number`, made at `time_ns` (nanoseconds of Unix time)."""
    return template % (number, *divmod(time_ns, NANOSECONDS))
