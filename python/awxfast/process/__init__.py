"""Main and child, listening sockets, signals, systemd, `--check`; a server in somebody else's process."""
