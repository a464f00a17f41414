// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {Vm} from "./Vm.sol";

/// @dev Reads contracts/parameters.csv, every row of it.
library ParameterFile {
    string private constant PATH = "contracts/parameters.csv";

    function read(Vm vm) internal view returns (INetworkParameters.Definition[] memory definitions) {
        string[] memory lines = vm.split(vm.readFile(PATH), "\n");
        // The first line is the header; the file ends with a line feed.
        definitions = new INetworkParameters.Definition[](lines.length - 2);
        for (uint256 i = 0; i < definitions.length; ++i) {
            definitions[i] = _definition(vm, _columns(vm, lines[i + 1]));
        }
    }

    /// @dev Splits a line at its commas, but not at those in quotes.
    function _columns(Vm vm, string memory line) private pure returns (string[] memory) {
        string[] memory parts = vm.split(line, '"');
        string memory joined = parts[0];
        for (uint256 i = 1; i < parts.length; ++i) {
            joined = string.concat(joined, i % 2 == 1 ? vm.replace(parts[i], ",", ";") : parts[i]);
        }
        return vm.split(joined, ",");
    }

    function _definition(
        Vm vm,
        string[] memory columns
    ) private pure returns (INetworkParameters.Definition memory definition) {
        definition.name = columns[0];
        definition.value = bytes32(vm.parseUint(columns[14]));
        INetworkParameters.Spec memory spec = definition.spec;
        spec.kind = _kind(columns[1]);
        spec.min = uint128(vm.parseUint(columns[3]));
        spec.max = uint128(vm.parseUint(columns[4]));
        spec.step = uint128(vm.parseUint(columns[5]));
        spec.maxRelBps = uint32(vm.parseUint(columns[6]));
        spec.maxAbs = uint128(vm.parseUint(columns[7]));
        spec.minIntervalS = uint32(vm.parseUint(columns[8]));
        spec.changeClass = INetworkParameters.Class(_indexOf(columns[9], "R", "S", "C"));
        spec.activation = INetworkParameters.Activation(_indexOf(columns[10], "now", "epoch", "new"));
        spec.tighten = INetworkParameters.Direction(_indexOf(columns[11], "", "+", "-"));
    }

    function _kind(string memory text) private pure returns (INetworkParameters.Kind) {
        if (_same(text, "UINT")) return INetworkParameters.Kind.Uint;
        if (_same(text, "BPS")) return INetworkParameters.Kind.Bps;
        if (_same(text, "SECONDS")) return INetworkParameters.Kind.Seconds;
        if (_same(text, "TOKEN_WEI")) return INetworkParameters.Kind.TokenWei;
        if (_same(text, "ENUM")) return INetworkParameters.Kind.Enum;
        if (_same(text, "BITMASK")) return INetworkParameters.Kind.Bitmask;
        require(_same(text, "BYTES32"), "unknown kind");
        return INetworkParameters.Kind.Bytes32;
    }

    function _indexOf(
        string memory text,
        string memory first,
        string memory second,
        string memory third
    ) private pure returns (uint256) {
        if (_same(text, first)) return 0;
        if (_same(text, second)) return 1;
        require(_same(text, third), "unknown word");
        return 2;
    }

    function _same(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
