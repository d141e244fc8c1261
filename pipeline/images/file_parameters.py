"""How an image was made, by what its file says: Limner's own text, or another program's."""

from typing import Final

from pipeline.images.file_texts import file_texts
from pipeline.images.programs.parameters import ProgramParameters
from pipeline.images.programs.reading import read_parameters

OWN_KEYWORD: Final = "limner"


def own_or_other(data: bytes) -> str | ProgramParameters:
    """What an image file says of how it was made.

    Args:
        data: an untrusted file.

    Returns:
        The text that Limner wrote into a PNG, for `pipeline.images.metadata.parse`; without one, what another program
        says.

    Raises:
        UserError: the file is no image, is damaged, or says nothing that can be read.
    """
    texts = file_texts(data)
    own = texts.get(OWN_KEYWORD)
    return read_parameters(texts) if own is None else own
