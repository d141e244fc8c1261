"""One vocabulary: the words that gave way to the field's own come back nowhere.

What members read in chat is free: only identifiers, comments, docstrings and pages are looked at.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.docs.pages import FILES, PAGES, ROOT

RETIRED: Final = {
    "anew": "again",
    "blueprint": "spec",
    "deed": "action",
    "desk": "interaction handler",
    "lane": "share",
    "leavings": "leftovers",
    "lesson": "training example",
    "nought": "zero",
    "parked": "suspended; the thing is a snapshot",
    "parking": "snapshot",
    "picture": "image",
    "seat": "slot",
    "shelf": "cache",
    "sketch": "sample",
    "stranger": "untrusted",
    "student": "trained model",
    "studio": "context",
    "whoever": "anyone who",
    "workshop": "runtime",
}
_WORD: Final = re.compile(rf"\b({'|'.join(RETIRED)})(s|s'|'s|ed)?\b", re.IGNORECASE)
_SHOWN: Final = re.compile(r'`[^`]*`|"[^"\n]*"|\*[^*\n]+\*|\([^()\s]+\)')
"""Code, quotations, the names of buttons, and targets of links: what others read or wrote."""
_FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_THIS: Final = Path(__file__)
CODE: Final = sorted(path for path in FILES if path.suffix == ".py" and path != _THIS)


def _identifiers_and_prose(text: str) -> Iterator[tuple[int, str]]:
    docstrings = {
        node.body[0].lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node) is not None
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+", token.string))
        elif token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.start[0] in docstrings):
            yield token.start[0], _SHOWN.sub(" ", token.string.strip("\"'"))


def test_code_uses_the_words_of_the_glossary() -> None:
    """In identifiers, comments and docstrings."""
    found = {
        f"{path.relative_to(ROOT)}:{line}: {match[0]}; say: {RETIRED[match[1].lower()]}"
        for path in CODE
        for line, text in _identifiers_and_prose(path.read_text())
        for match in _WORD.finditer(text)
    }

    assert sorted(found) == []


def test_pages_use_the_words_of_the_glossary() -> None:
    """Outside of code and quotations."""
    found = [
        f"{page}: {match[0]}; say: {RETIRED[match[1].lower()]}"
        for page in PAGES
        for match in _WORD.finditer(_SHOWN.sub(" ", _FENCED.sub("", page.path.read_text())))
    ]

    assert found == []


def test_a_retired_word_is_found() -> None:
    """In each of the three places, and not in what members read."""
    text = 'def draw_picture():\n    """A picture."""\n    return "Your picture"  # anew\n'

    assert [_WORD.findall(words) for _, words in _identifiers_and_prose(text) if _WORD.search(words)] == [
        [("picture", "")], [("picture", "")], [("anew", "")],
    ]  # fmt: skip
