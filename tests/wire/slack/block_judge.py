"""Judges blocks and views by slack_sdk's own validators and by the limits that Slack documents."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

# https://docs.slack.dev/reference/block-kit/blocks
_MESSAGE_BLOCKS: Final = 50
_VIEW_BLOCKS: Final = 100
_ID_LIMIT: Final = 255
_MODAL_ONLY: Final = {"input"}
_TEXT_LIMITS: Final = {
    "section": 3000,  # https://docs.slack.dev/reference/block-kit/blocks/section-block
    "header": 150,  # https://docs.slack.dev/reference/block-kit/blocks/header-block
    "label": 2000,  # https://docs.slack.dev/reference/block-kit/blocks/input-block
    "hint": 2000,  # the same
    "button": 75,  # https://docs.slack.dev/reference/block-kit/block-elements/button-element
    "placeholder": 150,  # https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
}
_VALUE_LIMIT: Final = 2000  # https://docs.slack.dev/reference/block-kit/block-elements/button-element
_ALT_TEXT: Final = 2000  # https://docs.slack.dev/reference/block-kit/blocks/image-block
_MESSAGE_TEXT: Final = 40_000  # https://docs.slack.dev/reference/methods/chat.postMessage
# https://docs.slack.dev/reference/views
_VIEW_TEXTS: Final = {"title": 24, "submit": 24, "close": 24}
_METADATA: Final = 3000
# https://docs.slack.dev/reference/block-kit/composition-objects/option-object
_OPTION_TEXT: Final = 75
_OPTION_VALUE: Final = 150
# https://docs.slack.dev/reference/block-kit/block-elements/checkboxes-element, .../radio-button-group-element
_FEW_OPTIONS: Final = {"checkboxes": 10, "radio_buttons": 10}
_OPTIONS: Final = 100  # https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element


def message_complaints(text: str | None, blocks: list[dict[str, Any]] | None) -> list[str]:
    """What Slack would refuse in a message, and what our own rules refuse."""
    found = [] if text else ["a message needs text for notifications and screen readers"]
    if text and len(text) > _MESSAGE_TEXT:
        found.append(f"text has {len(text)} characters")
    if blocks is not None:
        found += list(_blocks(blocks, _MESSAGE_BLOCKS))
        found += [f"{block['type']} belongs into a view" for block in blocks if block["type"] in _MODAL_ONLY]
    return found


def view_complaints(view: dict[str, Any]) -> list[str]:
    """What Slack would refuse in a modal or a Home tab."""
    found = list(_blocks(view.get("blocks", []), _VIEW_BLOCKS))
    if not view.get("blocks"):
        found.append("a view needs a block")
    found += [
        f"{name} has more than {limit} characters"
        for name, limit in _VIEW_TEXTS.items()
        if len(view.get(name, {}).get("text", "")) > limit
    ]
    if len(view.get("private_metadata", "")) > _METADATA:
        found.append(f"private_metadata has more than {_METADATA} characters")
    if view["type"] == "modal" and any(b["type"] == "input" for b in view["blocks"]) and "submit" not in view:
        found.append("a modal with inputs needs a submit button")
    try:
        found += [f"a view has no {name}" for name in view.keys() - View(**view).to_dict().keys()]
    except SlackObjectFormationError as error:
        found.append(f"view: {error}")
    return found


def _blocks(blocks: list[dict[str, Any]], limit: int) -> Iterator[str]:
    if len(blocks) > limit:
        yield f"{len(blocks)} blocks, {limit} allowed"
    for block_id, count in Counter(block["block_id"] for block in blocks if "block_id" in block).items():
        if count > 1:
            yield f"block_id {block_id} is used {count} times"
    for block in blocks:
        yield from _block(block)


def _block(block: dict[str, Any]) -> Iterator[str]:
    parsed = Block.parse(block)
    if parsed is None:
        yield f"{block.get('type')} is no block"
        return
    try:
        read = parsed.to_dict()
    except SlackObjectFormationError as error:
        yield f"{block['type']}: {error}"
    else:
        if read != block:
            yield f"{block['type']} holds what it cannot: of {block} Slack reads {read}"
    yield from _texts(block, block["type"])
    elements = [*block.get("elements", ()), *([block["element"]] if "element" in block else ())]
    elements += [block["accessory"]] if "accessory" in block else []
    for element in elements:
        yield from _texts(element, element["type"])
        yield from _options(element)
    ids = [element["action_id"] for element in elements if "action_id" in element]
    if len(set(ids)) != len(ids):
        yield f"an action_id is used twice: {ids}"


def _texts(part: dict[str, Any], kind: str) -> Iterator[str]:
    for name in ("action_id", "block_id"):
        if len(part.get(name, "")) > _ID_LIMIT:
            yield f"{name} has more than {_ID_LIMIT} characters"
    if len(part.get("value", "")) > _VALUE_LIMIT:
        yield f"value has more than {_VALUE_LIMIT} characters"
    if len(part.get("alt_text", "")) > _ALT_TEXT:
        yield f"alt_text has more than {_ALT_TEXT} characters"
    for name in ("text", "label", "hint", "placeholder"):
        text = part.get(name)
        if not isinstance(text, dict):
            continue
        limit = _TEXT_LIMITS.get(kind if name == "text" else name, 3000)
        if not 1 <= len(text["text"]) <= limit:
            yield f"{kind} {name} has {len(text['text'])} characters, 1 to {limit} allowed"
        if text["type"] == "plain_text" and "verbatim" in text:
            yield "verbatim belongs to mrkdwn"


def _options(element: dict[str, Any]) -> Iterator[str]:
    options = element.get("options")
    if options is None:
        return
    limit = _FEW_OPTIONS.get(element["type"], _OPTIONS)
    if not 1 <= len(options) <= limit:
        yield f"{element['type']} has {len(options)} options"
    for option in options:
        if len(option["text"]["text"]) > _OPTION_TEXT or len(option["value"]) > _OPTION_VALUE:
            yield f"option {option['value']} is too long"
