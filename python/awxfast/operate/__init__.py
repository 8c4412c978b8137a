"""What an operator looks at and runs: admin listener, metrics, status, demo. Nothing on the event path."""
