"""The edge to people: the terminal, Discord, Slack, and the composition root."""
