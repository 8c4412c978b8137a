"""What is measured, and how a run of it goes."""
