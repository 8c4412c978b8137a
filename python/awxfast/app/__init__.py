"""Wires one serving process: its life, its rooms, one builder a mode. It alone knows every room below."""
