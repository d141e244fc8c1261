"""What the terminal remembers of what was typed."""

from pathlib import Path

from bot.terminal.history import ChatHistory
from handlers.registry import COMMANDS


def test_a_line_with_a_secret_is_kept_nowhere(tmp_path: Path) -> None:
    """However it was typed; every other line is there the next time."""
    history = ChatHistory(tmp_path / "lines", COMMANDS)
    for line in ("/imagine fox", "/lora key civitai --set hush", " /LORA  Key --set hush", "/lora list", "a key"):
        history.append_string(line)

    assert "hush" not in (tmp_path / "lines").read_text()
    assert list(ChatHistory(tmp_path / "lines", COMMANDS).load_history_strings()) == [
        "a key", "/lora list", "/imagine fox",
    ]  # fmt: skip
    assert history.get_strings() == ["/imagine fox", "/lora list", "a key"]
