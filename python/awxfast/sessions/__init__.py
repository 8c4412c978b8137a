"""Browsers: listeners, the HTTP head, one socket's life, the native protocol, who may see what."""
