"""What a job holds, what must be ready before it runs and what of it is shown; it knows no command and no device."""
