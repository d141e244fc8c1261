"""What the program says, in words, and the seam to the platforms that say it; it knows nothing of how a job is made."""
