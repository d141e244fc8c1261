"""Child processes: how they are started, asked, limited and heard; it knows nothing of what they do."""
