"""The terminal as a chat platform of its own; it knows no other platform."""
