"""A worker process of its own: claims and settles until nothing is left, then prints the ids of its jobs."""

import asyncio
import sys

from storage.database import Database
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import Done


async def main(url: str, worker: str) -> None:
    database = await Database.open(url)
    queue = JobQueue(database)
    while claim := await queue.claim(worker):
        if await queue.settle(claim, Done(device_seconds=0.1)):
            print(claim.job.id)  # noqa: T201 # the parent process reads it
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
