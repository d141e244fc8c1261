"""Claims jobs, feeds them to devices and records what they make; it knows no command and no chat platform."""
