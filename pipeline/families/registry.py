"""Every family by its key."""

from collections.abc import Mapping
from typing import Final

from pipeline.families.family import Family, ModelFamily
from pipeline.families.sd import SD15
from pipeline.families.sdxl import SDXL

FAMILIES: Final[Mapping[ModelFamily, Family]] = {
    ModelFamily.SDXL: SDXL,
    ModelFamily.SD15: SD15,
}
