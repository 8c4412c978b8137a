"""The program that dials other nodes, `python -m awxfast.broadcast`: wiring, options, links, figures."""
