"""Nodes that dial this one: endpoint and gate, one link, what it brings and where that goes."""
