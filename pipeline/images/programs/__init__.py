"""What other programs write into their images, read as far as it says; everything in it is untrusted."""
