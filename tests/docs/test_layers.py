"""The contracts of imports in pyproject.toml notice what they forbid."""

from copy import deepcopy
from typing import Any, Final

import pytest
from grimp import ImportGraph, build_graph
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract

from tests.docs.pages import ROOT

_CONFIGURATION: Final[dict[str, Any]] = read_configuration(str(ROOT / "pyproject.toml"))


@pytest.fixture(scope="module")
def imports() -> ImportGraph:
    """All imports of the program, those inside functions too."""
    roots = _CONFIGURATION["session_options"]["root_packages"]
    return build_graph(*roots, include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("handlers.community.help", "pipeline.samplers.sampler"),
        ("handlers.commands.context", "pipeline.engine.engine"),
        ("storage.blobs", "torch"),
        ("bot.doctor", "pipeline.devices.loop"),
        ("pipeline.requests.image_request", "pipeline.models.hardware"),
        ("pipeline.processes.child", "pipeline.training.program"),
    ],
)
def test_one_import_that_leads_to_torch_is_noticed(imports: ImportGraph, importer: str, imported: str) -> None:
    """By whatever way: of these only one names torch."""
    [options] = [
        options for options in _CONFIGURATION["contracts_options"] if "torch" in options.get("forbidden_modules", ())
    ]
    contract = ForbiddenContract(options["name"], _CONFIGURATION["session_options"], options)
    assert {importer, imported} <= imports.modules
    assert contract.check(deepcopy(imports), verbose=False).kept

    changed = deepcopy(imports)
    changed.add_import(importer=importer, imported=imported)

    assert not contract.check(changed, verbose=False).kept
