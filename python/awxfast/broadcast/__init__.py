"""`python -m awxfast.broadcast`: the program that dials other nodes, its wiring and options."""
