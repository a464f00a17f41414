// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IERC5805} from "@openzeppelin/contracts/interfaces/IERC5805.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IAlthingGovernor} from "../../../contracts/interfaces/IAlthingGovernor.sol";
import {IAlthingToken} from "../../../contracts/interfaces/IAlthingToken.sol";
import {IAttestationLedger} from "../../../contracts/interfaces/IAttestationLedger.sol";
import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {INodeCases} from "../../../contracts/interfaces/INodeCases.sol";
import {INodeRegistry} from "../../../contracts/interfaces/INodeRegistry.sol";
import {ParameterFile} from "./ParameterFile.sol";
import {Vm} from "./Vm.sol";

interface IToken is IERC20, IERC5805, IAlthingToken {}

interface IGovernorUnderTest is IGovernor, IAlthingGovernor {}

interface IRegistry is INodeRegistry, INodeCases, IAccessControl {}

interface ILedger is IAttestationLedger, IAccessControl {}

interface ITimelock is IAccessControl {
    function getMinDelay() external view returns (uint256);
    function execute(address target, uint256 value, bytes calldata data, bytes32 predecessor, bytes32 salt)
        external
        payable;
    function executeBatch(
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata payloads,
        bytes32 predecessor,
        bytes32 salt
    ) external payable;
}

/// @dev Deploys the committed bytecode with the whole data file of parameters, so that every invariant is live.
abstract contract AlthingTest {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant ALT = 1e18;
    uint256 internal constant START = 1_780_000_000;
    bytes32 internal constant H100 = "h100_80g";

    address internal guardian = address(0x6001);
    address internal attestor = address(0x6002);
    address internal holder = address(0x6003);
    address internal otherHolder = address(0x6004);

    IToken internal token;
    ITimelock internal timelock;
    IGovernorUnderTest internal governor;
    INetworkParameters internal parameters;
    IRegistry internal registry;
    ILedger internal ledger;

    function deployAll() internal {
        vm.warp(START);
        uint256 nonce = vm.getNonce(address(this));
        address timelock_ = vm.computeCreateAddress(address(this), nonce);
        address token_ = vm.computeCreateAddress(address(this), nonce + 1);
        address governor_ = vm.computeCreateAddress(address(this), nonce + 2);
        address parameters_ = vm.computeCreateAddress(address(this), nonce + 3);
        _create("TimelockController", abi.encode(10, _one(governor_), _one(governor_), address(0)));
        _create("AlthingToken", _tokenArguments(timelock_));
        _create("AlthingGovernor", _governorArguments(token_, timelock_, parameters_));
        _create("NetworkParameters", abi.encode(timelock_, governor_));
        address registry_ = _create("NodeRegistry", abi.encode(token_, parameters_, governor_, timelock_, attestor));
        (timelock, token) = (ITimelock(timelock_), IToken(token_));
        (governor, parameters) = (IGovernorUnderTest(governor_), INetworkParameters(parameters_));
        registry = IRegistry(registry_);
        ledger = createLedger();
        parameters.defineGenesis(ParameterFile.read(vm));
        parameters.seal();
        vm.warp(START + 1 hours);
    }

    /// @dev A ledger of its own over the same registry of parameters.
    function createLedger() internal returns (ILedger) {
        return ILedger(_create("AttestationLedger", abi.encode(parameters, governor, timelock, attestor)));
    }

    function keyOf(string memory name) internal pure returns (bytes32) {
        return keccak256(bytes(name));
    }

    function valueOf(string memory name) internal view returns (uint256) {
        return uint256(parameters.get(keyOf(name)));
    }

    /// @dev One `set` by the timelock, with what the keys hold now as expected.
    function setAs(address sender, bytes32[] memory keys, bytes32[] memory values) internal {
        bytes32[] memory expected = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            expected[i] = parameters.getVoted(keys[i]);
        }
        vm.prank(sender);
        parameters.set(keys, expected, values);
    }

    function setOne(string memory name, uint256 value) internal {
        (bytes32[] memory keys, bytes32[] memory values) = single(name, value);
        setAs(address(timelock), keys, values);
    }

    function single(
        string memory name,
        uint256 value
    ) internal pure returns (bytes32[] memory keys, bytes32[] memory values) {
        keys = new bytes32[](1);
        values = new bytes32[](1);
        (keys[0], values[0]) = (keyOf(name), bytes32(value));
    }

    /// @dev Two keys, in the ascending order of their hashes.
    function pair(
        string memory a,
        uint256 valueA,
        string memory b,
        uint256 valueB
    ) internal pure returns (bytes32[] memory keys, bytes32[] memory values) {
        keys = new bytes32[](2);
        values = new bytes32[](2);
        bool swap = keyOf(a) > keyOf(b);
        (keys[swap ? 1 : 0], values[swap ? 1 : 0]) = (keyOf(a), bytes32(valueA));
        (keys[swap ? 0 : 1], values[swap ? 0 : 1]) = (keyOf(b), bytes32(valueB));
    }

    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return high - low == type(uint256).max ? value : low + (value % (high - low + 1));
    }

    function assertEq(uint256 actual, uint256 expected, string memory what) internal pure {
        require(actual == expected, what);
    }

    function _create(string memory name, bytes memory arguments) private returns (address deployed) {
        string memory json = vm.readFile(string.concat("chain/abi/", name, ".json"));
        bytes memory code = bytes.concat(vm.parseJsonBytes(json, ".deploymentBytecode.bytecode"), arguments);
        assembly {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        require(deployed != address(0), string.concat(name, " was not deployed"));
    }

    function _tokenArguments(address timelock_) private view returns (bytes memory) {
        address[] memory holders = new address[](3);
        uint256[] memory amounts = new uint256[](3);
        (holders[0], holders[1], holders[2]) = (holder, otherHolder, timelock_);
        (amounts[0], amounts[1], amounts[2]) = (9_000_000 * ALT, 1_000_000 * ALT, 2_000_000 * ALT);
        return abi.encode("Althing", "ALT", 100_000_000 * ALT, 2_000_000 * ALT, timelock_, holders, amounts);
    }

    function _governorArguments(
        address token_,
        address timelock_,
        address parameters_
    ) private view returns (bytes memory) {
        IAlthingGovernor.RoutineCall[] memory routine = new IAlthingGovernor.RoutineCall[](3);
        routine[0] = IAlthingGovernor.RoutineCall(parameters_, INetworkParameters.set.selector);
        routine[1] = IAlthingGovernor.RoutineCall(parameters_, INetworkParameters.withdraw.selector);
        routine[2] = IAlthingGovernor.RoutineCall(parameters_, INetworkParameters.undo.selector);
        return abi.encode(token_, timelock_, _settings(), routine);
    }

    function _settings() private view returns (IAlthingGovernor.Settings memory) {
        return IAlthingGovernor.Settings({
            votingDelay: 5,
            votingPeriod: 60,
            lateQuorumExtension: 15,
            proposalThreshold: ALT,
            quorumNumerator: 4,
            constitutionalDelay: 20,
            guardian: guardian,
            guardianUntil: uint64(START + 30 days)
        });
    }

    function _one(address account) private pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = account;
    }
}
