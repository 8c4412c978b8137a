"""Where a run takes place, and what it costs: cores, CPU seconds, memory, quiet."""
