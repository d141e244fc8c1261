"""Posts what is recorded and not yet posted; it knows no device and no platform by name."""
