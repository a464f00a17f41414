"""What a parameter's figure means for people: its unit, its words, its human form.

The chain knows a kind (seconds, basis points, wei); the words below are ours. A
parameter that is not in the catalogue is shown by its kind alone.
"""

from chain.formatting import group_digits, quantity_text
from network.models import Parameter, ParameterKind

_TIERS = {
    0: "T0, claimed",
    1: "T1, inventory signed by the node",
    2: "T2, compute and memory measured",
    3: "T3, measured in a verified confidential VM",
    4: "T4, report signed by the GPU's maker",
    5: "T5, T4 bound to the CPU's enclave",
}
_ENFORCE = {0: "0, observe", 1: "1, enforce"}
_CHOICES: dict[str, dict[int, str]] = {
    "attest.rim_expired": {0: "0, accept", 1: "1, warn", 2: "2, reject"},
    "quantum.pq_mode": {0: "0, off", 1: "1, hybrid", 2: "2, required"},
}
_PURPOSES = {
    "meta.s_extra_delay": "How long a sensitive change waits after execution before it counts.",
    "meta.c_extra_delay": "How long a constitutional change waits after execution.",
    "meta.guardian_tighten_max": "After this long a guardian's tightening lapses by itself.",
    "stake.min_provider": "The least stake of a node, whatever its size.",
    "stake.unbonding_period": "How long stake is held back after an operator asks for it.",
    "stake.max_pending_unbonds": "How many withdrawals of one node may be under way at once.",
    "attest.report_interval": "How often a node has to send a report.",
    "attest.ttl": "How long an accepted report counts; older ones are stale.",
    "attest.nonce_ttl": "How long a node may take to answer a challenge.",
    "attest.clock_skew": "How far a node's clock may be off.",
    "attest.max_gpus_per_node": "How many GPUs one node may have.",
    "attest.rim_expired": "What a reference manifest whose signer has expired means.",
}
_GROUP_NAMES = {
    "meta": "Rules of change",
    "stake": "Stake",
    "attest": "Attestation",
    "market": "Market",
    "rewards": "Rewards",
    "slash": "Penalties",
    "quantum": "Post-quantum keys",
    "energy": "Energy",
    "treasury": "Treasury",
    "research": "Research",
    "realtime": "Real time",
}


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


def choices_of(parameter: Parameter) -> dict[int, str]:
    """What each number of an ``ENUM`` parameter means; empty for other kinds."""
    if parameter.kind != ParameterKind.ENUM:
        return {}
    if parameter.name.startswith("attest.required_tier_"):
        return _TIERS
    if parameter.name.startswith("attest.enforce_"):
        return _ENFORCE
    return _CHOICES.get(parameter.name, {})


def purpose_of(name: str) -> str:
    """One sentence: what the parameter steers; empty where the catalogue has none."""
    if name in _PURPOSES:
        return _PURPOSES[name]
    for prefix, sentence in (
        ("stake.per_gpu_", "Stake that one GPU of this class needs: {}."),
        ("attest.required_tier_", "The proof that nodes of this class must give: {}."),
        ("attest.enforce_", "Whether a failed check refuses a report or is only noted: {}."),
    ):
        if name.startswith(prefix):
            return sentence.format(name.removeprefix(prefix).replace("_", " "))
    return ""


def group_name(group: str) -> str:
    """A group's heading on the pages."""
    return _GROUP_NAMES.get(group, group.capitalize())


def unit_of(parameter: Parameter) -> str:
    """The unit of a parameter's figures, as :attr:`Parameter.unit` says."""
    return parameter.unit
