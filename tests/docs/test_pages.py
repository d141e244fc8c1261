"""What a page points at exists: links and images, files, commands and their options."""

import ast
import importlib.util
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from handlers.commands.groups import split_call
from handlers.commands.parsing import parse_text
from handlers.registry import COMMANDS
from pipeline.errors import InvalidRequest
from tests.docs.pages import FILES, PAGES, ROOT, Page

_FOLDERS: Final = "bot|handlers|storage|pipeline|tests|benchmarks|recipes|docs"
_IN_A_FOLDER: Final = re.compile(rf"(?<![\w/.~-])(?:{_FOLDERS})/[\w/.+-]*+(?!<)")
_PYTHON_FILE: Final = re.compile(r"(?<![\w/.<>-])[\w/-]+\.py\b")
# They begin with a slash and are no commands of ours: what the server answers, and what Slack takes.
_NO_COMMANDS: Final = ("/healthz", "/readyz", "/metrics", "/slack/", "/invite", "/limner")
_LINES: Final = [line for page in PAGES for line in page.code]
_NAMES: Final = {path.as_posix() for path in FILES}


def test_pages_of_every_folder_are_read() -> None:
    """What is not found is not checked."""
    expected = {"README.md", "CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md", "docs/decisions/buckets.md"}

    assert expected <= {str(page) for page in PAGES}


def test_every_relative_link_and_image_leads_somewhere() -> None:
    """To a file or folder of the repository and, behind a #, to one of its headings."""
    anchors = {page.path: page.anchors for page in PAGES}
    wrong = []
    for page in PAGES:
        for link in page.links:
            if re.match(r"[a-z][a-z+.-]*:", link):
                continue
            name, _, fragment = unquote(link).partition("#")
            target = (page.path.parent / name).resolve() if name else page.path
            if not target.exists() or (fragment and fragment not in anchors.get(target, ())):
                wrong.append(f"{page}: {link}")

    assert wrong == []


def test_every_file_that_a_page_names_exists() -> None:
    """By its path from the top, or, for a module, by its last part."""
    named = {(page, name) for page in PAGES for code in page.code for name in _IN_A_FOLDER.findall(code)}
    modules = {(page, name) for page in PAGES for code in page.code for name in _PYTHON_FILE.findall(code)}

    assert [f"{page}: {name}" for page, name in named if not (ROOT / name).exists()] == []
    assert [f"{page}: {name}" for page, name in modules if not any(n.endswith(f"/{name}") for n in _NAMES)] == []


def test_every_make_target_that_a_page_or_a_workflow_names_exists() -> None:
    """`make` is how everybody works here, machines too."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    workflows = [path.read_text() for path in FILES if path.match(".github/workflows/*.yml")]
    steps = [line for text in workflows for line in re.findall(r"run: (.+)", text)]
    named = [(where, word) for where, words in (*_calls("make", _LINES), *_calls("make", steps)) for word in words]

    assert [where for where, word in named if word not in targets and not re.match(r"-|\w+=", word)] == []


def test_make_lists_every_target() -> None:
    """`make` alone shows what stands behind ##."""
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)", makefile, re.MULTILINE)

    assert sorted(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE)) == sorted(phony.split())


def test_every_limner_command_that_a_page_shows_exists() -> None:
    """With each option that stands behind it."""
    assert [where for where, words in _calls("limner", _LINES) if not _is_known(words)] == []


@pytest.mark.parametrize("line", ["limner imagine fox --stepps 6", "limner models pul x", "limner paint"])
def test_a_mistyped_limner_command_is_noticed(line: str) -> None:
    """A parser that takes anything would let the test above pass."""
    assert not _is_known(line.split()[1:])


def test_every_module_that_a_page_runs_exists() -> None:
    """`python -m benchmarks.engine` and its like."""
    modules = [(where, words[words.index("-m") + 1]) for where, words in _calls("python", _LINES) if "-m" in words]

    assert [where for where, module in modules if importlib.util.find_spec(module) is None] == []


def test_every_command_that_members_are_shown_exists() -> None:
    """With its action, and each option that stands behind it."""
    wrong = []
    for page in PAGES:
        for typed in _members_commands(page):
            found = split_call(typed, COMMANDS)
            try:
                assert found is not None, "there is no such command"
                parse_text(*found)
            except (AssertionError, InvalidRequest) as error:
                wrong.append(f"{page}: {typed}: {error}")

    assert wrong == []


def _calls(program: str, lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Each call of `program` in shell `lines`: the line, and the words behind the program's name."""
    for line in lines:
        try:
            words = shlex.split(line.removeprefix("$ "), comments=True)
        except ValueError:
            continue  # an apostrophe: output or prose, not a command
        for is_end, group in itertools.groupby(words, lambda word: word in {"|", "&&", ";"}):
            command = list(itertools.dropwhile(lambda word: "=" in word, group))
            if not is_end and command and command[0].removeprefix(".venv/bin/") == program:
                yield line, list(itertools.takewhile(lambda word: word != ">", command[1:]))


def _is_known(words: list[str]) -> bool:
    """Whether `limner` knows the command and the options in `words`; all are read before help is printed."""
    return CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def _members_commands(page: Page) -> Iterator[str]:
    for code in page.code:
        typed = code.removeprefix("/limner ")  # in Slack, where other apps have the same names
        typed = typed if typed == code else f"/{typed}"
        if re.match(r"/[a-z]", typed) and not typed.startswith(_NO_COMMANDS):
            yield typed


def test_the_map_says_of_each_package_what_it_says_of_itself() -> None:
    """Word for word, so that neither is forgotten."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+/[\w/]*\w)` \| (.+) \|$", page, re.MULTILINE)
    told = {package: words for package, words in rows if (ROOT / package / "__init__.py").exists()}
    packages = [
        init for top in ("bot", "handlers", "pipeline", "storage") for init in (ROOT / top).glob("*/**/__init__.py")
    ]

    assert told == {
        init.parent.relative_to(ROOT).as_posix(): " ".join(
            (ast.get_docstring(ast.parse(init.read_text())) or "").split()
        )
        for init in packages
        if init.parent.name != "migrations"
    }
