"""Which code a websocket is closed with, and why (RFC 6455 section 7.4). Rust chooses
those of broken frames (`wire/frame/fault.rs`), of slow clients and of replies left unread (`shard/bounds.rs`)."""

NORMAL = 1000
"""The other side asked for it. AWX's pages never come back from it."""
GOING_AWAY = 1001
"""This server ends, or the connection is older than `--websocket_timeout`."""
UNSUPPORTED_DATA = 1003
"""Binary where only text is spoken."""
NO_CODE = 1005
"""The other side's close frame had none; never sent."""
ABNORMAL = 1006
"""The connection ended without a close frame; never sent."""
INVALID_DATA = 1007
"""A node's message that is none of its era's."""
POLICY = 1008
"""A bound was overstepped: groups, or replies left unread."""
FAILED = 1011
"""Something here went wrong."""
RESTARTING = 1012
"""Another process of this server goes on: come back."""
SLOW = 4008
"""Awxfast's own: a client that does not read, under `--slow-client close`."""

FAULTS = frozenset({1002, UNSUPPORTED_DATA, INVALID_DATA, POLICY, 1009})
"""The codes that say that the peer did wrong."""
SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""What may stand in a close frame."""
COUNTED = frozenset([*range(1000, 1004), *range(1005, 1015), 4001, 4008])
"""What is counted apart: RFC 6455's registry and awxfast's own. All else that a peer may choose is one."""
