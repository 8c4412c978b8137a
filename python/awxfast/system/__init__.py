"""What the operating system gives: processes, their descriptors and streams, the zone of its clock."""
