"""What a job of any kind is about, in a line."""

from typing import assert_never

from handlers.images.upscale_job import read_enlargement
from handlers.jobs.payloads import read_request
from handlers.loras.import_request import read_order
from handlers.training.request import read_training
from storage.queue.jobs import Job, JobKind


def job_title(job: Job) -> str:
    """The prompt of pictures or of a map for one, or what is to be added."""
    match job.kind:
        case JobKind.IMAGINE | JobKind.DRAW_MAP | JobKind.MIX_LORAS:
            return read_request(job.payload).prompt
        case JobKind.ADD_LORA:
            return read_order(job.payload).title
        case JobKind.ENLARGE:
            return read_enlargement(job.payload).title
        case JobKind.CHECK_IMAGES | JobKind.TRAIN:
            return read_training(job.payload).title
        case _:
            assert_never(job.kind)
