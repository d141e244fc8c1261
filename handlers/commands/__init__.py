"""What a command is, what its handler is given, how a call is read, checked and answered; it knows none of them."""
