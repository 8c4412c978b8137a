"""Main and child: who owns the listening sockets and signals, and who serves."""
