// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {InclusionProof} from "./attestation/InclusionProof.sol";
import {IAttestationLedger} from "./interfaces/IAttestationLedger.sol";
import {IGuardianSource} from "./interfaces/IGuardianSource.sol";
import {INetworkParameters} from "./interfaces/INetworkParameters.sol";

/**
 * @title The ledger of attestation epochs
 * @dev Holds no funds and calls nobody but the registry of parameters and the governor, to read.
 */
contract AttestationLedger is IAttestationLedger, AccessControl {
    /// @notice Whose members post roots.
    bytes32 public constant ATTESTOR_ROLE = keccak256("ATTESTOR_ROLE");
    uint48 private constant VOID_WINDOW = 24 hours;
    // An epoch of the registry of parameters.
    uint256 private constant EPOCH = 1 days;

    INetworkParameters private immutable _parameters;
    IGuardianSource private immutable _governor;
    uint256 private immutable _firstEpoch;

    uint256 private _nextEpoch;
    mapping(uint256 epoch => EpochRecord) private _records;

    /**
     * @param parameters_ Says which epoch a time falls in.
     * @param governor_ Says who the guardian is.
     * @param timelock Administers the attestor role and may void, as the guardian may.
     * @param attestor The attestation service's account, which posts roots.
     */
    constructor(INetworkParameters parameters_, IGuardianSource governor_, address timelock, address attestor) {
        _parameters = parameters_;
        _governor = governor_;
        _firstEpoch = parameters_.epochAt(Time.timestamp());
        _nextEpoch = _firstEpoch;
        _grantRole(DEFAULT_ADMIN_ROLE, timelock);
        _grantRole(ATTESTOR_ROLE, attestor);
    }

    /// @inheritdoc IAttestationLedger
    function post(
        uint256 epoch,
        bytes32 root,
        uint32 count,
        uint64 totalSeconds,
        bytes32 metadataHash
    ) external onlyRole(ATTESTOR_ROLE) {
        if (epoch != _nextEpoch) {
            revert LedgerEpochNotNext(epoch, _nextEpoch);
        }
        uint256 endsAt = _parameters.genesisAt() + (epoch + 1) * EPOCH;
        if (block.timestamp < endsAt) {
            revert LedgerEpochNotOver(epoch, endsAt);
        }
        _nextEpoch = epoch + 1;
        _write(epoch, root, count, totalSeconds, metadataHash);
    }

    /// @inheritdoc IAttestationLedger
    function repost(
        uint256 epoch,
        bytes32 root,
        uint32 count,
        uint64 totalSeconds,
        bytes32 metadataHash
    ) external onlyRole(ATTESTOR_ROLE) {
        if (!_known(epoch).voided) {
            revert LedgerEpochNotVoided(epoch);
        }
        _write(epoch, root, count, totalSeconds, metadataHash);
    }

    /// @inheritdoc IAttestationLedger
    function voidEpoch(uint256 epoch, bytes32 reason) external {
        if (!_governor.isGuardian(msg.sender) && !hasRole(DEFAULT_ADMIN_ROLE, msg.sender)) {
            revert LedgerUnauthorized(msg.sender);
        }
        EpochRecord storage record_ = _notVoided(epoch);
        uint48 closedAt = record_.postedAt + VOID_WINDOW;
        if (block.timestamp >= closedAt) {
            revert LedgerVoidWindowClosed(epoch, closedAt);
        }
        record_.voided = true;
        emit EpochVoided(epoch, record_.root, reason, msg.sender);
    }

    /// @inheritdoc IAttestationLedger
    function revokeAttestor(address account) external {
        if (!_governor.isGuardian(msg.sender)) {
            revert LedgerUnauthorized(msg.sender);
        }
        _revokeRole(ATTESTOR_ROLE, account);
    }

    /// @inheritdoc IAttestationLedger
    function verify(
        uint256 epoch,
        VerdictLeaf calldata leaf,
        uint256 index,
        bytes32[] calldata proof
    ) external view returns (bool) {
        EpochRecord storage record_ = _notVoided(epoch);
        uint48 from = record_.postedAt + VOID_WINDOW;
        if (block.timestamp < from) {
            revert LedgerEpochNotUsable(epoch, from);
        }
        return InclusionProof.holds(record_.root, record_.count, index, leafHash(epoch, leaf, index), proof);
    }

    /// @inheritdoc IAttestationLedger
    function record(uint256 epoch) external view returns (EpochRecord memory) {
        return _known(epoch);
    }

    /// @inheritdoc IAttestationLedger
    function status(uint256 epoch) external view returns (EpochStatus) {
        if (!_isPosted(epoch)) return EpochStatus.None;
        EpochRecord storage record_ = _records[epoch];
        if (record_.voided) return EpochStatus.Voided;
        return block.timestamp < record_.postedAt + VOID_WINDOW ? EpochStatus.Posted : EpochStatus.Usable;
    }

    /// @inheritdoc IAttestationLedger
    function usableAt(uint256 epoch) external view returns (uint48) {
        return _notVoided(epoch).postedAt + VOID_WINDOW;
    }

    /// @inheritdoc IAttestationLedger
    function firstEpoch() external view returns (uint256) {
        return _firstEpoch;
    }

    /// @inheritdoc IAttestationLedger
    function nextEpoch() external view returns (uint256) {
        return _nextEpoch;
    }

    /// @inheritdoc IAttestationLedger
    function parameters() external view returns (address) {
        return address(_parameters);
    }

    /// @inheritdoc IAttestationLedger
    function governor() external view returns (address) {
        return address(_governor);
    }

    /// @inheritdoc IAttestationLedger
    function leafHash(uint256 epoch, VerdictLeaf calldata leaf, uint256 index) public view returns (bytes32) {
        return
            InclusionProof.leafHash(
                keccak256(
                    abi.encode(
                        block.chainid,
                        address(this),
                        epoch,
                        index,
                        leaf.nodeId,
                        leaf.verdictHash,
                        leaf.tier,
                        leaf.status,
                        leaf.secondsAttested
                    )
                )
            );
    }

    /// @dev Writes a record whose turn it is.
    function _write(
        uint256 epoch,
        bytes32 root,
        uint32 count,
        uint64 totalSeconds,
        bytes32 metadataHash
    ) private {
        if ((root == bytes32(0)) != (count == 0)) {
            revert LedgerRootInvalid(root, count);
        }
        if (totalSeconds > count * EPOCH) {
            revert LedgerTotalInvalid(totalSeconds, count * EPOCH);
        }
        _records[epoch] = EpochRecord({
            root: root,
            metadataHash: metadataHash,
            count: count,
            totalSeconds: totalSeconds,
            postedAt: Time.timestamp(),
            voided: false
        });
        emit EpochPosted(epoch, root, count, totalSeconds, metadataHash, Time.timestamp() + VOID_WINDOW);
    }

    function _isPosted(uint256 epoch) private view returns (bool) {
        return epoch >= _firstEpoch && epoch < _nextEpoch;
    }

    function _known(uint256 epoch) private view returns (EpochRecord storage) {
        if (!_isPosted(epoch)) {
            revert LedgerEpochUnknown(epoch);
        }
        return _records[epoch];
    }

    function _notVoided(uint256 epoch) private view returns (EpochRecord storage record_) {
        record_ = _known(epoch);
        if (record_.voided) {
            revert LedgerEpochVoided(epoch);
        }
    }
}
