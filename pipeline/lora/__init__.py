"""LoRAs: their format, their import, their export, their sources and how they are served."""
