// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @dev Tokens that cannot vote (staked, or in the treasury) are delegated to this address, and its past votes are
 * subtracted from the base of the quorum. It is the end of a hash, so nobody holds its key.
 */
library Sentinel {
    address internal constant ACCOUNT = address(uint160(uint256(keccak256("althing.sentinel"))));
}
