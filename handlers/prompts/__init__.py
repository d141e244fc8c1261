"""What members write into a prompt, read as words, LoRAs and sizes; it knows no job."""
