"""Slack: one workspace over Socket Mode, or many over signed requests with OAuth; it knows no other platform."""
