"""The files of a guild: LoRAs, uploads for training, and the end of what nothing needs; it knows no weights."""
