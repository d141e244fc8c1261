"""The commands that train a subject or a style, and their jobs; it knows nothing of how a device draws."""
