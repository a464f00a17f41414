// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The tree and its proofs by the recursive definitions of RFC 9162 (2.1.1 and 2.1.3.1), which split from the top;
/// the contract and the service go up from the leaves.
library LedgerTree {
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return leaves.length == 0 ? bytes32(0) : _hash(leaves, 0, leaves.length);
    }

    function proof(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory siblings) {
        bytes32[] memory down = new bytes32[](64);
        (uint256 from, uint256 to, uint256 depth) = (0, leaves.length, 0);
        while (to - from > 1) {
            uint256 middle = from + _split(to - from);
            bool left = index < middle;
            down[depth++] = left ? _hash(leaves, middle, to) : _hash(leaves, from, middle);
            (from, to) = left ? (from, middle) : (middle, to);
        }
        siblings = new bytes32[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            siblings[i] = down[depth - 1 - i];
        }
    }

    function inner(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function _hash(bytes32[] memory leaves, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 middle = from + _split(to - from);
        return inner(_hash(leaves, from, middle), _hash(leaves, middle, to));
    }

    /// @dev The largest power of two below `count`.
    function _split(uint256 count) private pure returns (uint256 result) {
        result = 1;
        while (result * 2 < count) result *= 2;
    }
}
