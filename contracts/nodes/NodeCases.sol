// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {INodeCases} from "../interfaces/INodeCases.sol";
import {NodeDebts} from "./NodeDebts.sol";

/**
 * @dev Cases against nodes, from their opening to the payment of what they took. Every term of a case is that of its
 * opening. The token calls nobody on a transfer; state still changes before every transfer.
 */
abstract contract NodeCases is INodeCases, NodeDebts {
    using SafeERC20 for IERC20;

    uint48 private constant LIFETIME = 60 days;
    bytes32 private constant CASE_MAX = keccak256("slash.case_max");
    bytes32 private constant DISPUTE_WINDOW = keccak256("slash.dispute_window");
    bytes32 private constant DISPUTE_DEPOSIT = keccak256("slash.dispute_deposit");
    bytes32 private constant REPORTER_CUT = keccak256("slash.reporter_cut");
    bytes32 private constant DOWNTIME = keccak256("slash.downtime");
    bytes32 private constant CHALLENGE_FAIL = keccak256("slash.challenge_fail");
    bytes32 private constant SPOOF = keccak256("slash.spoof");

    address private immutable _timelock;

    // The first is number one.
    mapping(uint256 caseId => Case) private _cases;
    mapping(address opener => mapping(bytes32 evidenceHash => bool)) private _evidenceUsed;
    uint256 private _caseCount;
    uint256 private _totalBonds;

    /// @param timelock Decides cases and receives what they take.
    constructor(address timelock) {
        _timelock = timelock;
    }

    /// @inheritdoc INodeCases
    function openCase(bytes32 nodeId, CaseKind kind, bytes32 evidenceHash) external returns (uint256 caseId) {
        _requireLiable(nodeId);
        _useEvidence(evidenceHash);
        caseId = ++_caseCount;
        Case storage case_ = _cases[caseId];
        case_.nodeId = nodeId;
        case_.kind = kind;
        case_.status = CaseStatus.Open;
        case_.opener = msg.sender;
        case_.openedAt = Time.timestamp();
        case_.contestableUntil = Time.timestamp() + uint48(_parameter(DISPUTE_WINDOW));
        case_.maxBps = uint16(Math.min(_parameter(_keyOf(kind)), _wholeAtMost(CASE_MAX)));
        case_.reporterCutBps = uint16(_wholeAtMost(REPORTER_CUT));
        case_.stake = SafeCast.toUint128(_free(nodeId));
        case_.bond = SafeCast.toUint128(_parameter(DISPUTE_DEPOSIT));
        case_.evidenceHash = evidenceHash;
        _lock(nodeId, _share(case_.stake, case_.maxBps), _expiresAt(case_));
        _totalBonds += case_.bond;
        _emitOpened(caseId, case_);
        _token.safeTransferFrom(msg.sender, address(this), case_.bond);
    }

    /// @inheritdoc INodeCases
    function contestCase(uint256 caseId, bytes32 answerHash) external {
        Case storage case_ = _running(caseId);
        if (_nodes[case_.nodeId].operator != msg.sender) {
            revert CaseUnauthorized(caseId, msg.sender);
        }
        if (case_.status == CaseStatus.Contested) {
            revert CaseAlreadyContested(caseId);
        }
        if (block.timestamp >= case_.contestableUntil) {
            revert CaseWindowClosed(caseId, case_.contestableUntil);
        }
        _requireHash(answerHash);
        case_.status = CaseStatus.Contested;
        case_.answerHash = answerHash;
        emit CaseContested(caseId, case_.nodeId, answerHash);
    }

    /// @inheritdoc INodeCases
    function decideCase(uint256 caseId, bool upheld, uint256 bps) external {
        if (msg.sender != _timelock) {
            revert CaseUnauthorized(caseId, msg.sender);
        }
        Case storage case_ = _running(caseId);
        if (block.timestamp >= _expiresAt(case_)) {
            revert CaseExpired(caseId, _expiresAt(case_));
        }
        if (case_.status == CaseStatus.Open && block.timestamp < case_.contestableUntil) {
            revert CaseWindowOpen(caseId, case_.contestableUntil);
        }
        uint256 max = upheld ? case_.maxBps : 0;
        if (bps > max) {
            revert CaseShareInvalid(bps, max);
        }
        uint256 debt = _unlock(case_.nodeId, _share(case_.stake, bps));
        case_.debt = SafeCast.toUint128(debt);
        emit CaseDecided(caseId, case_.nodeId, upheld, bps, debt);
        _end(case_, upheld ? CaseStatus.Upheld : CaseStatus.Rejected, upheld ? case_.opener : _timelock);
    }

    /// @inheritdoc INodeCases
    function dismissCase(uint256 caseId) external {
        Case storage case_ = _running(caseId);
        if (block.timestamp < _expiresAt(case_)) {
            revert CaseNotExpired(caseId, _expiresAt(case_));
        }
        _unlock(case_.nodeId, 0);
        emit CaseDismissed(caseId, case_.nodeId);
        _end(case_, CaseStatus.Dismissed, case_.opener);
    }

    /// @inheritdoc INodeCases
    function collect(uint256 caseId) external returns (uint256 amountWei) {
        Case storage case_ = _case(caseId);
        uint256 owed = case_.debt - case_.collected;
        if (owed == 0) {
            revert CaseNothingOwed(caseId);
        }
        amountWei = Math.min(owed, _collectable());
        if (amountWei == 0) {
            revert CaseCapReached(caseId, _epoch());
        }
        case_.collected += uint128(amountWei);
        _pay(case_.nodeId, amountWei);
        uint256 cut = _share(amountWei, case_.reporterCutBps);
        emit DebtCollected(caseId, case_.nodeId, amountWei, cut, owed - amountWei);
        _token.safeTransfer(_timelock, amountWei - cut);
        _token.safeTransfer(case_.opener, cut);
    }

    /// @inheritdoc INodeCases
    function nodeCase(uint256 caseId) external view returns (Case memory) {
        return _case(caseId);
    }

    /// @inheritdoc INodeCases
    function caseCount() external view returns (uint256) {
        return _caseCount;
    }

    /// @inheritdoc INodeCases
    function caseExpiresAt(uint256 caseId) external view returns (uint48) {
        return _expiresAt(_case(caseId));
    }

    /// @inheritdoc INodeCases
    function hasOpenCase(bytes32 nodeId) external view returns (bool) {
        return _isAccused(nodeId);
    }

    /// @inheritdoc INodeCases
    function lockedStake(bytes32 nodeId) external view returns (uint256) {
        return _locked(nodeId);
    }

    /// @inheritdoc INodeCases
    function debtOf(bytes32 nodeId) external view returns (uint256) {
        return _debt(nodeId);
    }

    /// @inheritdoc INodeCases
    function collectable() external view returns (uint256) {
        return _collectable();
    }

    /// @inheritdoc INodeCases
    function totalBonds() external view returns (uint256) {
        return _totalBonds;
    }

    /// @inheritdoc INodeCases
    function evidenceUsed(address opener, bytes32 evidenceHash) external view returns (bool) {
        return _evidenceUsed[opener][evidenceHash];
    }

    /// @inheritdoc INodeCases
    function treasury() external view returns (address) {
        return _timelock;
    }

    /// @dev Ends a case and pays its bond out; the last act of its caller.
    function _end(Case storage case_, CaseStatus status_, address bondTo) private {
        case_.status = status_;
        _totalBonds -= case_.bond;
        _token.safeTransfer(bondTo, case_.bond);
    }

    function _useEvidence(bytes32 evidenceHash) private {
        _requireHash(evidenceHash);
        if (_evidenceUsed[msg.sender][evidenceHash]) {
            revert CaseEvidenceUsed(msg.sender, evidenceHash);
        }
        _evidenceUsed[msg.sender][evidenceHash] = true;
    }

    function _emitOpened(uint256 caseId, Case storage case_) private {
        emit CaseOpened(
            caseId,
            case_.nodeId,
            case_.opener,
            case_.kind,
            case_.evidenceHash,
            case_.stake,
            case_.maxBps,
            case_.bond,
            case_.contestableUntil,
            _expiresAt(case_)
        );
    }

    function _case(uint256 caseId) private view returns (Case storage case_) {
        case_ = _cases[caseId];
        if (case_.status == CaseStatus.None) {
            revert CaseUnknown(caseId);
        }
    }

    /// @dev A case that has not ended.
    function _running(uint256 caseId) private view returns (Case storage case_) {
        case_ = _case(caseId);
        if (case_.status != CaseStatus.Open && case_.status != CaseStatus.Contested) {
            revert CaseClosed(caseId, case_.status);
        }
    }

    /// @dev Stake answers for the node until the exit has finished unbonding. After that no case can begin, so that none
    /// holds back what has left for longer than the 60 days of the last one.
    function _requireLiable(bytes32 nodeId) private view {
        Node storage node_ = _known(nodeId);
        uint48 goneAt = node_.exitRequestedAt + node_.unbondingPeriod;
        if (node_.exited || (node_.exitRequestedAt != 0 && block.timestamp >= goneAt)) {
            revert CaseNodeGone(nodeId, goneAt);
        }
    }

    /// @dev A share, whatever a vote may redefine its bounds to: more than everything would never be paid.
    function _wholeAtMost(bytes32 key) private view returns (uint256) {
        return Math.min(_parameter(key), BPS);
    }

    function _expiresAt(Case storage case_) private view returns (uint48) {
        return case_.openedAt + LIFETIME;
    }

    function _requireHash(bytes32 hash) private pure {
        if (hash == bytes32(0)) {
            revert CaseHashInvalid(hash);
        }
    }

    function _keyOf(CaseKind kind) private pure returns (bytes32) {
        if (kind == CaseKind.Downtime) return DOWNTIME;
        return kind == CaseKind.ChallengeFail ? CHALLENGE_FAIL : SPOOF;
    }
}
