"""What goes wrong on the way to the Hub, as a person reads it."""

import httpx2
import huggingface_hub as hub
import pytest

from pipeline.errors import UserError
from pipeline.models.hub_errors import hub_errors_in_words


def test_a_machine_without_a_network_is_one_sentence() -> None:
    """The library lets its client's own errors through."""
    nobody_listens = hub.HfApi(endpoint="http://127.0.0.1:1", token=False)

    with (
        pytest.raises(UserError, match=r"Model 'some/model' could not be downloaded \(ConnectError\); try again"),
        hub_errors_in_words("some/model"),
    ):
        nobody_listens.model_info("some/model")


def test_what_the_hub_refuses_is_one_sentence() -> None:
    """Its errors are of the client's kind, too."""
    assert issubclass(hub.errors.HfHubHTTPError, httpx2.HTTPError)
