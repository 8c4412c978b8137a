"""What an operator looks at: admin listener, metrics, status. Nothing on the event path."""
