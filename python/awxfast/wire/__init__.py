"""What bytes and JSON mean: handshakes, paths, a browser's commands and replies, what nodes say, the layer's options.

No sockets, no clocks, no Redis, no logs.
"""
