"""The commands that make images, from their options to queued jobs; it knows nothing of training and changes no
library.
"""
