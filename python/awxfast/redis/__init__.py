"""A client of Redis and what is written to it: addresses, connections, group sends, a private server."""
