"""What a parameter's figure means for people: its unit, its words, its human form.

The words are those of ``network.catalogue``. A parameter that is not in it is shown by its kind
alone.
"""

from collections.abc import Mapping

from chain.formatting import group_digits, quantity_text
from network.catalogue import (
    CHOICES,
    ENFORCE,
    GROUP_NAMES,
    PURPOSES,
    PURPOSES_BY_PREFIX,
    TIERS,
)
from network.models import Parameter, ParameterKind


def value_human(parameter: Parameter, value: str) -> str:
    """Write a value as people say it: ``2 700 s (45 min)``, ``1, enforce``, ``420 ALT per GPU``."""
    if parameter.kind == ParameterKind.BYTES32 or not value:
        return value or "\u2013"
    number = int(value)
    choices = choices_of(parameter)
    if number in choices:
        return choices[number]
    if parameter.unit == "wei per GPU":
        return f"{quantity_text(number, 'wei')} per GPU"
    if parameter.kind == ParameterKind.BITMASK:
        return f"{group_digits(number)} (0b{number:b})"
    return quantity_text(number, parameter.unit)


def choices_of(parameter: Parameter) -> Mapping[int, str]:
    """What each number of an ``ENUM`` parameter means; empty for other kinds."""
    if parameter.kind != ParameterKind.ENUM:
        return {}
    if parameter.name.startswith("attest.required_tier_"):
        return TIERS
    if parameter.name.startswith("attest.enforce_"):
        return ENFORCE
    return CHOICES.get(parameter.name, {})


def purpose_of(name: str) -> str:
    """What the parameter steers, in a sentence or two; empty where the catalogue has none."""
    if name in PURPOSES:
        return PURPOSES[name]
    for prefix, sentence in PURPOSES_BY_PREFIX.items():
        if name.startswith(prefix):
            return sentence.format(name.removeprefix(prefix).replace("_", " "))
    return ""


def group_name(group: str) -> str:
    """A group's heading on the pages."""
    return GROUP_NAMES.get(group, group.capitalize())


def unit_of(parameter: Parameter) -> str:
    """The unit of a parameter's figures, as :attr:`Parameter.unit` says."""
    return parameter.unit
