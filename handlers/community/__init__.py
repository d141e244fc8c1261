"""Help, settings, history, queue and privacy: what a guild and its members see of themselves; it makes no image."""
