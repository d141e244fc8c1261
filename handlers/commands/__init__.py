"""What a command is and how a call of it is read, checked and answered; it knows none of the commands."""
