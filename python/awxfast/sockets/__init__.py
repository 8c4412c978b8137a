"""Websockets: listeners, admission, one socket's life, keep-alive."""
