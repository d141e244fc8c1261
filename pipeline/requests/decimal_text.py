"""Numbers as members write them."""


def decimal_text(number: float) -> str:
    """A number that every option and tag reads back, which none does with an exponent.

    Args:
        number: of a request.

    Returns:
        Its decimals, up to ten.
    """
    text = f"{number:.10f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
