"""Clusters that no bench can run, from measured unit costs: what each part has to do, and what gives way first."""
