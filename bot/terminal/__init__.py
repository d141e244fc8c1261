"""The terminal as a chat platform of its own."""
