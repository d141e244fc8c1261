"""The files of a guild: LoRAs, uploads for training, and what deletes those that nothing needs; it knows no weights."""
