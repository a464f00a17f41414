// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IAlthingToken} from "./interfaces/IAlthingToken.sol";
import {Sentinel} from "./governance/Sentinel.sol";

/**
 * @title The voting power of Althing
 * @dev Timestamps are its clock (ERC-6372), so that voting times mean the same on every chain.
 */
contract AlthingToken is IAlthingToken, ERC20, ERC20Capped, ERC20Permit, ERC20Votes {
    uint256 private constant YEAR = 365 days;

    address private immutable _treasury;
    uint256 private immutable _yearlyMintMax;
    uint256 private immutable _genesisAt;

    mapping(uint256 year => uint256 amount) private _minted;

    /**
     * @param treasury_ The timelock; its tokens cannot vote, so they are delegated to the sentinel.
     * @param holders Who receives the genesis supply; `amounts` in wei, same length.
     */
    constructor(
        string memory name_,
        string memory symbol_,
        uint256 cap_,
        uint256 yearlyMintMax_,
        address treasury_,
        address[] memory holders,
        uint256[] memory amounts
    ) ERC20(name_, symbol_) ERC20Capped(cap_) ERC20Permit(name_) {
        if (holders.length != amounts.length) {
            revert AlthingTokenGenesisLengthMismatch(holders.length, amounts.length);
        }
        // A zero treasury could never mint, and the deployment checks who it is.
        // slither-disable-next-line missing-zero-check
        _treasury = treasury_;
        _yearlyMintMax = yearlyMintMax_;
        _genesisAt = block.timestamp;
        _delegate(treasury_, Sentinel.ACCOUNT);
        for (uint256 i = 0; i < holders.length; ++i) {
            _mint(holders[i], amounts[i]);
        }
    }

    /// @inheritdoc IAlthingToken
    function mint(uint256 amountWei) external {
        if (_msgSender() != _treasury) {
            revert AlthingTokenUnauthorizedMinter(_msgSender());
        }
        uint256 available = mintable();
        if (amountWei > available) {
            revert AlthingTokenYearlyMintExceeded(amountWei, available);
        }
        _minted[_year()] += amountWei;
        _mint(_treasury, amountWei);
    }

    /// @inheritdoc IAlthingToken
    function treasury() external view returns (address) {
        return _treasury;
    }

    /// @inheritdoc IAlthingToken
    function yearlyMintMax() external view returns (uint256) {
        return _yearlyMintMax;
    }

    /// @inheritdoc IAlthingToken
    function sentinel() external pure returns (address) {
        return Sentinel.ACCOUNT;
    }

    /// @inheritdoc IAlthingToken
    function mintable() public view returns (uint256) {
        return _yearlyMintMax - _minted[_year()];
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @dev ERC-6372 clock in seconds.
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @dev ERC-6372 description of {clock}.
    // The name is ERC-6372's.
    // slither-disable-next-line naming-convention
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    function _update(
        address from,
        address to,
        uint256 value
    ) internal override(ERC20, ERC20Capped, ERC20Votes) {
        super._update(from, to, value);
    }

    function _year() private view returns (uint256) {
        return (block.timestamp - _genesisAt) / YEAR;
    }
}
