// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @title Slashing, as cases that a vote decides
 * @notice Whoever accuses a node opens a case against a bond. The operator may answer it inside the dispute window; then
 * the timelock, that is a vote, decides it. A case that nobody decided in 60 days is dismissed by anybody's call. What a
 * case may take is fixed when it is opened and locked until it ends. A decision records a debt; {collect} pays it to the
 * treasury, less the reporter's cut, within caps for the whole network.
 *
 * What is not locked and not owed always withdraws: no case can be opened against a node whose exit has finished
 * unbonding, and none lasts longer than 60 days.
 *
 * `evidenceHash` is `keccak256(abi.encode(opener, keccak256(evidence)))`, so that a copy of somebody's case is worth
 * nothing to a vote; `answerHash` is the keccak-256 of the operator's answer. Both documents are published elsewhere.
 */
interface INodeCases {
    /// @dev The most a kind may take is the parameter `slash.downtime`, `slash.challenge_fail` or `slash.spoof`.
    enum CaseKind {
        Downtime,
        ChallengeFail,
        Spoof
    }

    /// @dev `Contested` is still open, with the operator's answer. A case that ran out reads as open or contested until
    /// it is dismissed.
    enum CaseStatus {
        None,
        Open,
        Contested,
        Upheld,
        Rejected,
        Dismissed
    }

    /**
     * @dev One case. `stake` is what the node held at its opening, bonded or unbonding, without what it owed already;
     * `maxBps` is the largest part of it that a decision may take. Bond, window and cut are those of the opening too.
     * `debt` is what the decision took, `collected` how much of it has been paid.
     */
    struct Case {
        bytes32 nodeId;
        CaseKind kind;
        CaseStatus status;
        address opener;
        uint48 openedAt;
        uint48 contestableUntil;
        uint16 maxBps;
        uint16 reporterCutBps;
        uint128 stake;
        uint128 bond;
        uint128 debt;
        uint128 collected;
        bytes32 evidenceHash;
        bytes32 answerHash;
    }

    event CaseOpened(
        uint256 indexed caseId,
        bytes32 indexed nodeId,
        address indexed opener,
        CaseKind kind,
        bytes32 evidenceHash,
        uint256 stake,
        uint256 maxBps,
        uint256 bond,
        uint48 contestableUntil,
        uint48 expiresAt
    );
    event CaseContested(uint256 indexed caseId, bytes32 indexed nodeId, bytes32 answerHash);
    event CaseDecided(uint256 indexed caseId, bytes32 indexed nodeId, bool upheld, uint256 bps, uint256 debt);
    event CaseDismissed(uint256 indexed caseId, bytes32 indexed nodeId);
    event DebtCollected(uint256 indexed caseId, bytes32 indexed nodeId, uint256 amount, uint256 cut, uint256 owed);

    error CaseUnknown(uint256 caseId);
    error CaseUnauthorized(uint256 caseId, address caller);
    error CaseClosed(uint256 caseId, CaseStatus status);
    error CaseHashInvalid(bytes32 hash);
    error CaseEvidenceUsed(address opener, bytes32 evidenceHash);
    error CaseNodeGone(bytes32 nodeId, uint48 closedAt);
    error CaseAlreadyContested(uint256 caseId);
    error CaseWindowClosed(uint256 caseId, uint48 closedAt);
    error CaseWindowOpen(uint256 caseId, uint48 until);
    error CaseExpired(uint256 caseId, uint48 closedAt);
    error CaseNotExpired(uint256 caseId, uint48 until);
    error CaseShareInvalid(uint256 bps, uint256 maxBps);
    error CaseNothingOwed(uint256 caseId);
    error CaseCapReached(uint256 caseId, uint256 epoch);
    error NodeStakeLocked(bytes32 nodeId, uint256 stake);

    /**
     * @notice Opens a case against a node and takes the bond, `slash.dispute_deposit`, from the caller's allowance.
     * @dev All open cases of a node share what they lock: as much as the largest of them may take. So neither many cases
     * nor an operator's own sham case lock more, or keep a true one from its part. Used hashes are kept per opener, so
     * that a copy does not stand in the way of the original.
     * @param nodeId A node that has not finished leaving.
     * @param kind What it is accused of.
     * @param evidenceHash The opener's commitment to the evidence, never used by it before.
     */
    function openCase(bytes32 nodeId, CaseKind kind, bytes32 evidenceHash) external returns (uint256 caseId);

    /// @notice Answers a case, once, inside its dispute window. The node's operator alone.
    function contestCase(uint256 caseId, bytes32 answerHash) external;

    /**
     * @notice Decides a case once the operator answered or its time to answer is over. The timelock alone.
     * @dev The debt is at most what the node's cases have locked. The bond goes back to the opener of an upheld case and
     * to the treasury where the case is rejected as frivolous; a case that is merely doubtful is left to run out.
     * @param caseId An open case.
     * @param upheld Whether the node did what it is accused of.
     * @param bps The part of the case's `stake` to take, at most its `maxBps`; zero where the case is rejected.
     */
    function decideCase(uint256 caseId, bool upheld, uint256 bps) external;

    /// @notice Ends a case that nobody decided in 60 days and gives the bond back. Anybody may call it.
    function dismissCase(uint256 caseId) external;

    /// @notice Pays as much of a case's debt as the caps of this epoch and of 30 days leave. Anybody may call it.
    function collect(uint256 caseId) external returns (uint256 amountWei);

    /// @notice The case; reverts where there is none. Cases are numbered from one.
    function nodeCase(uint256 caseId) external view returns (Case memory);

    function caseCount() external view returns (uint256);

    /// @notice When a case that nobody decides is over, in seconds since 1970.
    function caseExpiresAt(uint256 caseId) external view returns (uint48);

    /// @notice Whether a case against the node is running. One that ran out counts until it is dismissed, while a newer
    /// one could still be running.
    function hasOpenCase(bytes32 nodeId) external view returns (bool);

    /// @notice What the node cannot withdraw now: its debts and what its open cases lock, in wei.
    function lockedStake(bytes32 nodeId) external view returns (uint256);

    /// @notice What the node owes by decisions and has not paid yet, in wei.
    function debtOf(bytes32 nodeId) external view returns (uint256);

    /// @notice How much may still be collected in this epoch from all nodes together, in wei.
    function collectable() external view returns (uint256);

    /// @notice All bonds of cases that have not ended, in wei.
    function totalBonds() external view returns (uint256);

    /// @notice Whether an opener ever used this hash; another opener's use does not count, see {openCase}.
    function evidenceUsed(address opener, bytes32 evidenceHash) external view returns (bool);

    /// @notice The timelock: it decides cases, and what they take goes to it.
    function treasury() external view returns (address);
}
