"""The commands of a guild's library of LoRAs, and the jobs that fill it; it knows nothing of training."""
