"""Requests as a job's row keeps them."""

from typing import Final

from pydantic import TypeAdapter

from pipeline.requests.image_request import ImageRequest

_REQUEST: Final = TypeAdapter(ImageRequest)


def write_request(request: ImageRequest) -> str:
    """The request as the JSON that a job's row keeps."""
    return _REQUEST.dump_json(request).decode()


def read_request(payload: str) -> ImageRequest:
    """The request of a job's row."""
    return _REQUEST.validate_json(payload)
