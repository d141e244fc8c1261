"""What tells families of models apart, as data: for each a file and a line in the registry; it knows no weights."""
