"""Nodes that dial this one: their endpoint and its gate, one link, what it brings and where that goes."""
