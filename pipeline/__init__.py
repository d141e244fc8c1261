"""Images, weights and devices: a library that knows nothing of guilds, chats or SQL."""
