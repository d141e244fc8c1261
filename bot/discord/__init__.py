"""Discord: the tree of commands, the answers, the delivery; it knows no other platform."""
