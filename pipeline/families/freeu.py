"""The factors that FreeU's authors advise for each family (https://github.com/ChenyangSi/FreeU)."""

from collections.abc import Mapping
from typing import Final

from pipeline.families.family import ModelFamily

USUAL_FREEU: Final[Mapping[ModelFamily, Mapping[str, float]]] = {
    ModelFamily.SDXL: {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2},
    ModelFamily.SD15: {"b1": 1.5, "b2": 1.6, "s1": 0.9, "s2": 0.2},
}
