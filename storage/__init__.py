"""What survives a restart: guilds, jobs, pictures, replies, blobs and their migrations."""
