"""The repository's Markdown pages, as a reader gets them: headings, links, code."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).parents[2]
_NOT_OURS: Final = {"node_modules", "build", "dist"}
# Filled in by a script; the page that comes of it is read in its place.
_TEMPLATES: Final = {ROOT / "recipes" / "pocket" / "card.md"}
_TARGET: Final = {"link_open": "href", "image": "src"}
_CODE: Final = {"code_inline", "code_block", "fence"}
_MARKDOWN: Final = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page; `code` holds the lines of what stands in backticks and in blocks."""

    path: Path
    headings: tuple[str, ...]
    links: tuple[str, ...]
    code: tuple[str, ...]

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind its #, as GitHub makes it of a heading."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}

    @classmethod
    def read(cls, path: Path) -> "Page":
        """The page in the file at `path`."""
        tokens = list(_all(_MARKDOWN.parse(path.read_text())))
        after_opening = itertools.pairwise(tokens)
        code = [token.content for token in tokens if token.type in _CODE]
        return cls(
            path=path,
            headings=tuple(inline.content for token, inline in after_opening if token.type == "heading_open"),
            links=tuple(str(token.attrs[_TARGET[token.type]]) for token in tokens if token.type in _TARGET),
            code=tuple(line.strip() for part in code for line in part.splitlines()),
        )


def _all(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if not path.is_dir():
            yield path
        elif path.name == ".github" or not (path.name.startswith(".") or path.name in _NOT_OURS):
            yield from _files(path)


FILES: Final = frozenset(_files(ROOT)) - _TEMPLATES
PAGES: Final = tuple(Page.read(path) for path in sorted(FILES) if path.suffix == ".md")
