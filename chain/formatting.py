"""How figures are written for people: amounts, durations, quantities with a unit.

Pure text functions, shared by the templates' tags, the revert sentences and the exports.
Digits are grouped by a narrow no-break space (U+202F), as ISO 80000-1 asks, so that a figure
neither wraps nor depends on the reader's comma.
"""

GROUP = "\u202f"
#: Stands where there is no figure.
DASH = "\u2013"
#: Seconds per unit, largest first.
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
WEI_DECIMALS = 18


def group_digits(value: int) -> str:
    """Write an integer with its digits in groups of three."""
    return f"{value:,}".replace(",", GROUP)


def amount_text(amount: int, *, decimals: int = WEI_DECIMALS, places: int | None = 4) -> str:
    """Write ``amount`` base units as a decimal figure without rounding up.

    Args:
        amount: base units (wei for a token of 18 decimals), any sign.
        decimals: base units per whole, as a power of ten.
        places: fraction digits kept at most (cut, never rounded: a balance must not look
            larger than it is); None keeps all of them.

    An amount that is not zero but would be cut to zero reads ``<0.0001``.
    """
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10**decimals)
    digits = str(rest).rjust(decimals, "0") if decimals else ""
    kept = (digits if places is None else digits[:places]).rstrip("0")
    if amount and not whole and not kept:
        return f"{'>-' if sign else '<'}0.{'0' * ((places or 1) - 1)}1"
    return f"{sign}{group_digits(whole)}{'.' + kept if kept else ''}"


def duration_text(seconds: int, *, parts: int = 2) -> str:
    """Write seconds as the two largest units in use: ``2 d 3 h``, ``45 min``, ``0 s``."""
    left, words = abs(int(seconds)), []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}\u00a0{unit}")
        elif words:
            break
    return ("-" if seconds < 0 else "") + (" ".join(words[:parts]) or "0\u00a0s")


def percent_text(part: int, whole: int, *, places: int = 1) -> str:
    """Write ``part`` of ``whole`` in percent, cut; a dash when there is no whole."""
    if not whole:
        return DASH
    scaled = part * 100 * 10**places // whole
    figure = f"{scaled / 10**places:.{places}f}"
    return f"{figure.rstrip('0').rstrip('.') if '.' in figure else figure}\u00a0%"


def quantity_text(value: int | str | bytes, unit: str = "") -> str:
    """Write a parameter's value with its unit, in the unit's own words.

    Args:
        value: an integer in the parameter's base unit; text and bytes are written as they are.
        unit: ``s``, ``s of rent``, ``wei``, ``wei per GPU``, ``bps``, ``count`` or another word
            of the registry.
    """
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    try:
        number = int(value)
    except ValueError:
        return str(value)
    # "wei per GPU", "s of rent": the first word is the unit, the rest says of what.
    base, _, rest = unit.partition(" ")
    suffix = f" {rest}" if rest else ""
    if base == "wei":
        return f"{amount_text(number, places=None)}\u00a0ALT{suffix}"
    if base == "bps":
        percent = percent_text(number, 10_000, places=2)
        return f"{percent} ({group_digits(number)}\u00a0bps){suffix}"
    if base == "s":
        plain = f"{group_digits(number)}\u00a0s"
        return f"{plain if number < 60 else f'{plain} ({duration_text(number)})'}{suffix}"
    if unit in {"", "count"}:
        return group_digits(number)
    return f"{group_digits(number)}\u00a0{unit}"
