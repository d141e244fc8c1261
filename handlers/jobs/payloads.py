"""What a job asks for, as its row keeps it."""

from typing import Final, Generic, TypeVar

from pydantic import TypeAdapter

from pipeline.requests.image_request import ImageRequest

T = TypeVar("T")


class Codec(Generic[T]):
    """Writes values of one type as JSON and reads them back."""

    def __init__(self, kind: type[T]) -> None:
        self._adapter = TypeAdapter(kind)

    def write(self, value: T) -> str:
        """The value as JSON."""
        return self._adapter.dump_json(value).decode()

    def read(self, text: str) -> T:
        """The value that was written so."""
        return self._adapter.validate_json(text)


REQUEST: Final = Codec(ImageRequest)
