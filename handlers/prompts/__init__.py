"""What members write into a prompt, read as words and LoRAs; it knows no job."""
