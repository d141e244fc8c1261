"""What goes wrong on the way to the Hugging Face Hub, in words."""

from collections.abc import Iterator
from contextlib import contextmanager

import huggingface_hub as hub

from pipeline.errors import UserError


@contextmanager
def hub_errors_in_words(model: str) -> Iterator[None]:
    """Turn the Hugging Face Hub's errors inside this block into sentences.

    Args:
        model: what was to be fetched, as the person named it.

    Raises:
        UserError: names the model and says what to do.
    """
    # Here alone: every process imports this module, and hardly any downloads.
    import httpx2  # noqa: PLC0415  the client that the library raises the errors of

    try:
        yield
    except hub.errors.GatedRepoError:
        raise UserError(f"Model '{model}' is gated; accept its terms on huggingface.co, then set HF_TOKEN.") from None
    except hub.errors.RepositoryNotFoundError:
        raise UserError(f"There is no model '{model}' on huggingface.co; check its spelling.") from None
    except (httpx2.HTTPError, OSError) as error:
        raise UserError(f"Model '{model}' could not be downloaded ({type(error).__name__}); try again.") from error
