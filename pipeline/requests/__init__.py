"""What is asked of a device and what it answers, as plain data that checks itself; no torch."""
