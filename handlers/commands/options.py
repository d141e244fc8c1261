"""The options of a command as the fields of a dataclass, from which their description for platforms is derived."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NewType, Self, Union, get_args, get_origin

from handlers.commands.attachments import AttachedFile, OfferedFile
from handlers.commands.option import Details, Option, OptionKind

ChannelId = NewType("ChannelId", str)
RoleId = NewType("RoleId", str)
MemberId = NewType("MemberId", str)

OptionValue = str | int | float | bool | AttachedFile

_KINDS: Final[dict[object, OptionKind]] = {
    str: OptionKind.TEXT,
    int: OptionKind.INTEGER,
    float: OptionKind.NUMBER,
    bool: OptionKind.SWITCH,
    ChannelId: OptionKind.CHANNEL,
    RoleId: OptionKind.ROLE,
    MemberId: OptionKind.MEMBER,
    AttachedFile: OptionKind.FILE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one call; each field is an `Annotated[type, Details(...)]`, and None where it was not given.

    Platforms show them in the order of the fields. The type tells the kind, and an enum or a Literal the choices; the
    field's name with dashes is the option's, a last underscore being dropped. A field without a default is required. A
    field of another class of Options stands for all of its fields.
    """

    @classmethod
    def described(cls) -> tuple[Option, ...]:
        """The options as platforms show them."""
        found: list[Option] = []
        for field in fields(cls):
            if (group := _group(field)) is not None:
                found += group.described()
            else:
                found.append(_option(field))
        return tuple(found)

    @classmethod
    def spelled_out(cls, raw: Mapping[str, OptionValue | OfferedFile]) -> Mapping[str, OptionValue | OfferedFile]:
        """The values as they are checked, where members may write some otherwise."""
        return raw

    @classmethod
    def of(cls, values: Mapping[str, OptionValue]) -> Self:
        """The options with `values`, by option name, each of its option's type."""
        given: dict[str, Any] = {}
        for field in fields(cls):
            if (group := _group(field)) is not None:
                given[field.name] = group.of(values)
            elif _name(field) in values:
                given[field.name] = values[_name(field)]
        return cls(**given)

    def given(self) -> dict[str, OptionValue]:
        """What was given, by option name."""
        found: dict[str, OptionValue] = {}
        for field in fields(self):
            match getattr(self, field.name):
                case None:
                    pass
                case Options() as more:
                    found |= more.given()
                case value:
                    found[_name(field)] = value
        return found

    def texts(self) -> dict[str, str]:
        """What was given, by option name, as a member would type it."""
        return {name: value_text(value) for name, value in self.given().items()}


def value_text(value: OptionValue | OfferedFile) -> str:
    """A value as a member would type it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, OfferedFile | AttachedFile):
        return value.name
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _group(field: Field[Any]) -> type[Options] | None:
    """The class whose fields the field stands for, if it is no option itself."""
    return field.type if isinstance(field.type, type) and issubclass(field.type, Options) else None


def _option(field: Field[Any]) -> Option:
    assert get_origin(field.type) is Annotated, f"{field.name} has no Details"
    inner, details = get_args(field.type)
    kind, choices = _kind(inner)
    described = {each.name: getattr(details, each.name) for each in fields(Details)}
    required = field.default is MISSING or details.unless is not None
    return Option(name=_name(field), kind=kind, required=required, choices=choices, **described)


def _kind(inner: Any) -> tuple[OptionKind, tuple[str, ...]]:
    if get_origin(inner) in (Union, UnionType):
        (inner,) = (each for each in get_args(inner) if each is not NoneType)
    if get_origin(inner) is Literal:
        return OptionKind.CHOICE, get_args(inner)
    if isinstance(inner, type) and issubclass(inner, StrEnum):
        return OptionKind.CHOICE, tuple(inner)
    return _KINDS[inner], ()


def _name(field: Field[Any]) -> str:
    return field.name.removesuffix("_").replace("_", "-")
