"""Discord: the tree of commands, the answers, the delivery."""
