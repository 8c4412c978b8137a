"""Ends of connections that the peer sees as a fault."""

import socket
import struct


def reset_at_close(sock: socket.socket) -> None:
    """Its close sends an RST, and not a FIN behind what waits."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
