"""LoRAs: their format, how they are served, their import, their export, their sources."""
