"""The other side of a run: clients, producers and far ends of links, and what they send."""
