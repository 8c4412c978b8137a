"""Wires one serving process: what is built, started and stopped in which order. It alone knows every room below."""
