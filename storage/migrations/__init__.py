"""The schema's history; `storage.database.migrate` brings a database to its end."""
