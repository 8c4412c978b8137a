"""What carries events between nodes where that is not AWX's mesh: Redis Cluster or NATS, and who wants what there."""
