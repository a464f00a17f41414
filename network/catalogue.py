"""The words of the parameters that genesis defines: units, choices, what each steers. Pure data.

The chain knows a kind (seconds, basis points, wei); these words are ours. A test holds the names
and the units against ``contracts/parameters.csv``.
"""

from collections.abc import Mapping
from typing import Final

#: Where the unit of a key says more than its kind does.
UNITS: Final[Mapping[str, str]] = {
    "attest.challenge_deadline": "bps of class P99",
    "attest.challenge_rate": "per GPU and day",
    "attest.cohort": "bps of online fleet",
    "energy.gpu_lifetime": "days",
    "energy.host_overhead": "W per GPU",
    "energy.intensity_fallback": "gCO2e/kWh",
    "slash.epoch_network_cap": "bps of total stake",
    "slash.network_cap_30d": "bps of total stake",
    "slash.reporter_cut": "bps of slash",
}

TIERS: Final[Mapping[int, str]] = {
    0: "T0, claimed",
    1: "T1, inventory signed by the node",
    2: "T2, compute measured in time",
    3: "T3, measured in a verified confidential VM",
    4: "T4, report signed by the GPU's maker",
    5: "T5, T4 bound to the CPU's enclave",
}
ENFORCE: Final[Mapping[int, str]] = {0: "0, observe", 1: "1, enforce"}
#: What each number of an ``ENUM`` key means; the two families above are by prefix.
CHOICES: Final[Mapping[str, Mapping[int, str]]] = {
    "attest.rim_expired": {0: "0, accept", 1: "1, warn", 2: "2, reject"},
    "quantum.pq_mode": {0: "0, off", 1: "1, hybrid", 2: "2, required"},
}

#: What the key steers and what a change of it does.
PURPOSES: Final[Mapping[str, str]] = {
    "meta.s_extra_delay": "How long a sensitive change waits after execution before it counts.",
    "meta.c_extra_delay": "How long a constitutional change waits after execution.",
    "meta.guardian_tighten_max": "After this long a guardian's tightening lapses by itself.",
    "stake.min_provider": "The least stake of a node, whatever its size.",
    "stake.unbonding_period": "How long stake is held back after an operator asks for it.",
    "stake.max_pending_unbonds": "How many withdrawals of one node may be under way at once.",
    "slash.downtime": (
        "The most that a case for downtime may take of a node's stake. At 0 being offline costs "
        "rewards and standing, never stake."
    ),
    "slash.challenge_fail": (
        "The most that a case for failed compute challenges may take of a node's stake; so much is "
        "locked while the case is open."
    ),
    "slash.spoof": (
        "The most that a case for faked hardware may take of a node's stake; so much is locked "
        "while the case is open."
    ),
    "slash.case_max": (
        "The most that any one case may lock and take of a node's stake, whatever its kind."
    ),
    "slash.network_cap_30d": (
        "The most that all cases together may take in 30 days. What is owed above it is collected "
        "later."
    ),
    "slash.epoch_network_cap": (
        "The most that all cases together may take in a day: a brake where a faulty release of "
        "the verifier accuses many nodes at once."
    ),
    "slash.reporter_cut": (
        "The part of a penalty that goes to whoever opened the case; the treasury gets the rest."
    ),
    "slash.dispute_window": (
        "How long an operator may answer a case before the vote on it can be carried out."
    ),
    "slash.dispute_deposit": (
        "What opening a case costs as a bond. It comes back unless the vote rejects the case as "
        "frivolous; a higher one deters spam and poor reporters alike."
    ),
    "slash.strikes": (
        "How many refused reports end a node's good standing; one bad report alone never does."
    ),
    "attest.report_interval": "How often a node has to send a report.",
    "attest.ttl": "How long an accepted report counts; older ones are stale.",
    "attest.nonce_ttl": "How long a node may take to answer a challenge.",
    "attest.clock_skew": "How far a node's clock may be off.",
    "attest.max_gpus_per_node": "How many GPUs one node may have.",
    "attest.rim_expired": "What a reference manifest whose signer has expired means.",
    "attest.anchor_interval": (
        "How old the newest Merkle root of the verdicts on chain may be before the pages warn."
    ),
    "attest.challenge_rate": (
        "How many compute challenges each GPU gets a day. More detect cheating sooner and take "
        "more of the GPU's time."
    ),
    "attest.challenge_openings": (
        "How many rows of a challenge's result are checked. More let fewer wrong rows through and "
        "make answers larger."
    ),
    "attest.challenge_deadline": (
        "How long a compute challenge may take, against what the slowest hundredth of its class "
        "takes; a tight one finds shared cards, too tight a one fails honest nodes."
    ),
    "attest.cohort": (
        "Which part of the fleet is challenged at the same instant, so that one card cannot "
        "answer for two nodes."
    ),
    "attest.trust_consecutive": (
        "How many good reports in a row make a node trusted again and forget its strikes."
    ),
    "attest.spotcheck_floor": "The part of a trusted node's work that is checked all the same.",
    "attest.uuid_cooldown": (
        "How long a GPU must rest before another node may report it; until then it is a duplicate."
    ),
    "attest.driver_digest_root": (
        "The Merkle root of the drivers that are accepted. All zeros: any driver."
    ),
    "attest.rim_root": (
        "The Merkle root of the reference manifests that are accepted. All zeros: any manifest "
        "that its vendor signed."
    ),
    "attest.image_root": "The Merkle root of the images that are accepted. All zeros: any image.",
    "quantum.pq_mode": (
        "Whether reports need a post-quantum signature as well: never, from nodes that registered "
        "such a key, or from all."
    ),
    "quantum.pq_alg_mask": "Which post-quantum signatures are accepted; bit 0 is ML-DSA-65.",
    "energy.pue_default": (
        "How much energy a site draws for each unit its machines use, where nobody has shown it; "
        "10 000 bps are the machines alone."
    ),
    "energy.pue_evidence_floor": (
        "A claimed site factor below this needs an auditor's signature; without one the default "
        "is used."
    ),
    "energy.host_overhead": (
        "The power counted for CPU, memory and fans with every GPU, where the host is not metered."
    ),
    "energy.intensity_max_age": (
        "How old a live figure of the grid's carbon may be before the fallback replaces it."
    ),
    "energy.intensity_fallback": "The carbon of a kWh where nothing better is known of the grid.",
    "energy.gpu_lifetime": (
        "Over how long the emissions of making a GPU are spread; a longer life makes each hour "
        "lighter."
    ),
}
#: Families of keys, by prefix; the class or the check follows.
PURPOSES_BY_PREFIX: Final[Mapping[str, str]] = {
    "stake.per_gpu_": "Stake that one GPU of this class needs: {}.",
    "attest.required_tier_": "The proof that nodes of this class must give: {}.",
    "attest.enforce_": "Whether a failed check refuses a report or is only noted: {}.",
}

GROUP_NAMES: Final[Mapping[str, str]] = {
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
