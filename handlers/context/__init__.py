"""What every handler is given: the stores, the models and the limits of this installation; it knows no command."""
