// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @dev The relations between keys that must hold in every state. Each is linear: the weighted sum of its keys plus
 * `constant_` is at least zero, or exactly zero where `exact`. Their numbers are those of the parameter registry's
 * documentation (I3, I8 and I10 are advice, judged off chain); I5 is a chain of three relations.
 */
library ParameterInvariants {
    struct Relation {
        uint256 id;
        bytes32[] keys;
        int256[] weights;
        int256 constant_;
        bool exact;
    }

    uint256 internal constant COUNT = 10;

    /// @dev The relation at `index` in `[0, COUNT)`.
    function relationAt(uint256 index) internal pure returns (Relation memory) {
        if (index == 0) return _rewardSplits();
        if (index == 1) return _unbonding();
        if (index == 2) return _atMost(4, "market.reclaim_window_min", "market.reclaim_window_max");
        if (index == 3) return _atMost(5, "slash.downtime", "slash.challenge_fail");
        if (index == 4) return _atMost(5, "slash.challenge_fail", "slash.spoof");
        if (index == 5) return _atMost(5, "slash.spoof", "slash.case_max");
        if (index == 6) return _scaledAtMost(6, "attest.report_interval", 2, "attest.ttl", 0);
        if (index == 7) return _scaledAtMost(7, "attest.clock_skew", 1, "attest.nonce_ttl", 60);
        if (index == 8) return _atMost(9, "treasury.tx_cap", "treasury.cap_30d");
        return _matchWeights();
    }

    /// @dev Which relations name `key`, as a bitmap of indexes.
    function maskOf(bytes32 key) internal pure returns (uint16 mask) {
        for (uint256 i = 0; i < COUNT; ++i) {
            bytes32[] memory keys = relationAt(i).keys;
            for (uint256 j = 0; j < keys.length; ++j) {
                if (keys[j] == key) {
                    mask |= uint16(1 << i);
                    break;
                }
            }
        }
    }

    /// @dev Whether the relation holds for `values`, given in the order of its keys.
    function holds(Relation memory relation, uint256[] memory values) internal pure returns (bool) {
        int256 sum = relation.constant_;
        for (uint256 i = 0; i < values.length; ++i) {
            // Bounds of numeric keys fit 128 bits, so neither the cast nor the sum can overflow.
            sum += relation.weights[i] * int256(values[i]);
        }
        return relation.exact ? sum == 0 : sum >= 0;
    }

    function _atMost(
        uint256 id,
        string memory smaller,
        string memory larger
    ) private pure returns (Relation memory) {
        return _scaledAtMost(id, smaller, 1, larger, 0);
    }

    /// @dev scale * smaller + margin <= larger
    function _scaledAtMost(
        uint256 id,
        string memory smaller,
        int256 scale,
        string memory larger,
        int256 margin
    ) private pure returns (Relation memory relation) {
        relation = _relation(id, 2, -margin, false);
        _term(relation, 0, smaller, -scale);
        _term(relation, 1, larger, 1);
    }

    function _rewardSplits() private pure returns (Relation memory relation) {
        relation = _relation(1, 6, -10_000, true);
        _term(relation, 0, "rewards.split_provider", 1);
        _term(relation, 1, "rewards.split_verifier", 1);
        _term(relation, 2, "rewards.split_treasury", 1);
        _term(relation, 3, "rewards.split_research", 1);
        _term(relation, 4, "rewards.split_green", 1);
        _term(relation, 5, "rewards.split_community", 1);
    }

    function _unbonding() private pure returns (Relation memory relation) {
        relation = _relation(2, 4, 0, false);
        _term(relation, 0, "stake.unbonding_period", 1);
        _term(relation, 1, "slash.dispute_window", -1);
        _term(relation, 2, "attest.ttl", -1);
        _term(relation, 3, "rewards.lock", -1);
    }

    function _matchWeights() private pure returns (Relation memory relation) {
        relation = _relation(11, 4, -10_000, true);
        _term(relation, 0, "market.match_weight_price", 1);
        _term(relation, 1, "market.match_weight_perf", 1);
        _term(relation, 2, "market.match_weight_reputation", 1);
        _term(relation, 3, "market.match_weight_carbon", 1);
    }

    function _relation(
        uint256 id,
        uint256 terms,
        int256 constant_,
        bool exact
    ) private pure returns (Relation memory) {
        return Relation(id, new bytes32[](terms), new int256[](terms), constant_, exact);
    }

    function _term(Relation memory relation, uint256 index, string memory name, int256 weight) private pure {
        relation.keys[index] = keccak256(bytes(name));
        relation.weights[index] = weight;
    }
}
