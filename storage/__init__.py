"""What survives a restart: guilds, jobs, images, replies, blobs and their migrations."""
