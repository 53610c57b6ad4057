"""Shares on the command line: a number from 0 to 1, or per cent. Knows no option."""

import typer


def share_of(text: str | float) -> float:
    """Read a share, such as `0.25` or `25%`; whether it is one that can be used, its user says.

    Raises:
        typer.BadParameter: If it is no number.
    """
    if not isinstance(text, str):  # a default
        return text
    number, sign, rest = text.strip().partition("%")
    try:
        return float(number) / 100 if sign and not rest else float(text)
    except ValueError:
        raise typer.BadParameter(f"it must be a share such as 0.25 or 25%; got {text!r}.") from None
