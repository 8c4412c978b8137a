"""What programs that send events import. The server imports nothing of it."""
