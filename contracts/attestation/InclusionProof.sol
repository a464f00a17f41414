// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @dev Inclusion in the Merkle tree of RFC 9162 (sections 2.1.1 and 2.1.3) with keccak-256 in the place of SHA-256.
 * Leaves and inner nodes begin with different bytes, so neither can pass for the other, and the place in the tree is
 * known from index and count alone: a proof that is longer or shorter than its place demands is refused.
 */
library InclusionProof {
    bytes1 private constant LEAF = 0x00;
    bytes1 private constant INNER = 0x01;

    /// @dev The leaf over an entry's digest.
    function leafHash(bytes32 digest) internal pure returns (bytes32) {
        return keccak256(bytes.concat(LEAF, digest));
    }

    /// @dev Whether the tree of `count` leaves under `root` holds `hash` as its leaf number `index`.
    function holds(
        bytes32 root,
        uint256 count,
        uint256 index,
        bytes32 hash,
        bytes32[] calldata proof
    ) internal pure returns (bool) {
        if (index >= count) {
            return false;
        }
        uint256 used = 0;
        for (uint256 last = count - 1; last > 0; last >>= 1) {
            // The last node of an odd level has no sibling and rises as it is.
            if (index != last || index & 1 == 1) {
                if (used == proof.length) {
                    return false;
                }
                bytes32 sibling = proof[used];
                ++used;
                hash = index & 1 == 0 ? _innerHash(hash, sibling) : _innerHash(sibling, hash);
            }
            index >>= 1;
        }
        return used == proof.length && hash == root;
    }

    function _innerHash(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(bytes.concat(INNER, left, right));
    }
}
