// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @title One Merkle root per epoch over all attestation verdicts
 * @notice An epoch is a day of {INetworkParameters.epochAt}. Its root is posted once, after its end and in the order of
 * epochs, and is usable 24 hours later, unless it was voided meanwhile. A root that was not voided never changes.
 *
 * The tree is the Merkle tree of RFC 9162 section 2.1.1 with keccak-256: a leaf is
 * `keccak256(0x00 || keccak256(abi.encode(chainId, ledger, epoch, index, nodeId, verdictHash, tier, status,
 * secondsAttested)))`, an inner node `keccak256(0x01 || left || right)`, and the last node of a level with an odd number
 * of nodes rises as it is. The number of leaves fixes the length of every proof.
 */
interface IAttestationLedger {
    /// @dev `Posted`: inside the 24 hours in which it may be voided. `Usable`: for good.
    enum EpochStatus {
        None,
        Posted,
        Usable,
        Voided
    }

    /**
     * @dev What is recorded of one epoch. `totalSeconds` is the sum of its leaves' `secondsAttested` and bounds what may
     * ever be claimed from them. `metadataHash` is the keccak-256 of the epoch's published description, or zero. Of a
     * voided epoch the voided figures stay until it is posted again.
     */
    struct EpochRecord {
        bytes32 root;
        bytes32 metadataHash;
        uint32 count;
        uint64 totalSeconds;
        uint48 postedAt;
        bool voided;
    }

    /**
     * @dev One verdict. `verdictHash` is the keccak-256 of the verdict as the service publishes it, `tier` the rung of
     * the ladder (0 to 5), `status` the verdict's by AR4SI (0, 2, 32 or 96), `secondsAttested` how much of the epoch the
     * verdict covers.
     */
    struct VerdictLeaf {
        bytes32 nodeId;
        bytes32 verdictHash;
        uint8 tier;
        uint8 status;
        uint32 secondsAttested;
    }

    /// @dev Emitted by {post} and by {repost}.
    event EpochPosted(
        uint256 indexed epoch,
        bytes32 root,
        uint32 count,
        uint64 totalSeconds,
        bytes32 metadataHash,
        uint48 usableAt
    );
    event EpochVoided(uint256 indexed epoch, bytes32 root, bytes32 reason, address indexed by);

    error LedgerUnauthorized(address caller);
    error LedgerEpochNotNext(uint256 epoch, uint256 next);
    error LedgerEpochNotOver(uint256 epoch, uint256 allowedAt);
    error LedgerEpochUnknown(uint256 epoch);
    error LedgerEpochVoided(uint256 epoch);
    error LedgerEpochNotVoided(uint256 epoch);
    error LedgerEpochNotUsable(uint256 epoch, uint256 allowedAt);
    error LedgerVoidWindowClosed(uint256 epoch, uint256 closedAt);
    error LedgerRootInvalid(bytes32 root, uint256 count);
    error LedgerTotalInvalid(uint256 totalSeconds, uint256 max);

    /**
     * @notice Records the next epoch, once it is over. The attestor role alone.
     * @param epoch Must be {nextEpoch}: none is left out, an epoch without verdicts is posted as such.
     * @param root Of the tree over the epoch's verdicts; zero exactly when there are none.
     * @param count How many leaves the tree has.
     * @param totalSeconds The sum of the leaves' `secondsAttested`, at most a day per leaf.
     * @param metadataHash The keccak-256 of the epoch's published description, or zero.
     */
    function post(uint256 epoch, bytes32 root, uint32 count, uint64 totalSeconds, bytes32 metadataHash) external;

    /// @notice Records a voided epoch again; its 24 hours begin anew. The attestor role alone. As {post} otherwise.
    /// @dev Without it the guardian could take a day's verdicts away for good.
    function repost(uint256 epoch, bytes32 root, uint32 count, uint64 totalSeconds, bytes32 metadataHash) external;

    /**
     * @notice Takes a root back within 24 hours of its posting. The guardian or the timelock alone.
     * @param epoch The epoch whose root is wrong.
     * @param reason A short ASCII string padded with zeros on the right, for the record.
     */
    function voidEpoch(uint256 epoch, bytes32 reason) external;

    /// @notice Takes the attestor role away. The guardian alone; it cannot grant it.
    function revokeAttestor(address account) external;

    /**
     * @notice Whether a usable epoch holds this verdict at this place.
     * @dev Reverts where the epoch is unknown, voided or not usable yet: nothing may be built on such a root.
     * @param epoch The epoch the verdict was anchored in.
     * @param leaf The verdict.
     * @param index The leaf's place, counted from zero.
     * @param proof The siblings on the way to the root, from the leaf's up; where a node has none, nothing is given.
     */
    function verify(
        uint256 epoch,
        VerdictLeaf calldata leaf,
        uint256 index,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice The hash of a verdict as a leaf of this ledger, on this chain, at this place of this epoch.
    function leafHash(uint256 epoch, VerdictLeaf calldata leaf, uint256 index) external view returns (bytes32);

    /// @notice What is recorded of an epoch; reverts where nothing is.
    function record(uint256 epoch) external view returns (EpochRecord memory);

    /// @notice The status now. The end of the 24 hours is marked by no event.
    function status(uint256 epoch) external view returns (EpochStatus);

    /// @notice When an epoch's root becomes usable, unless it is voided before, in seconds since 1970.
    function usableAt(uint256 epoch) external view returns (uint48);

    /// @notice The first epoch of this ledger: the one in which it was deployed.
    function firstEpoch() external view returns (uint256);

    /// @notice The epoch that {post} accepts next; all from {firstEpoch} up to it have been posted.
    function nextEpoch() external view returns (uint256);

    function parameters() external view returns (address);

    function governor() external view returns (address);
}
