"""The composition root: settings, logs, and the parts of a process put together; it knows no chat platform."""
