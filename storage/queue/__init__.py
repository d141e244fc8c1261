"""The durable queue: jobs, claims, snapshots, images and the replies that are owed; it knows no payload."""
