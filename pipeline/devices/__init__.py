"""An engine in a process or on a thread, fed by messages; it knows nothing of jobs."""
