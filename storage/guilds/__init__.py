"""Guilds, what their admins set, who installed us, and how long anything is kept; it knows no job's payload."""
