// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A wallet or a wrapper: takes every call and says nothing
contract Silent {
    fallback() external payable {}
}

/// @title Refuses every call
contract Refusing {
    fallback() external payable {
        revert("no");
    }
}

/// @title Answers every call with noise
contract Garbage {
    fallback() external payable {
        bytes32 a = keccak256(msg.data);
        assembly {
            mstore(0, a)
            mstore(32, not(a))
            mstore(64, a)
            return(0, 96)
        }
    }
}

/// @title Answers every call with one word
contract Constant {
    uint256 private immutable _word;

    constructor(uint256 word) {
        _word = word;
    }

    fallback() external payable {
        uint256 word = _word;
        assembly {
            mstore(0, word)
            return(0, 32)
        }
    }
}

/// @title Uses all the gas it is given
contract Burning {
    fallback() external payable {
        uint256 i;
        while (true) i++;
    }
}

/// @title Answers every call with a megabyte
contract Megabyte {
    fallback() external payable {
        assembly {
            return(0, 1048576)
        }
    }
}

/// @title Says yes to ERC-165 for everything, and answers nothing else
contract Pretender {
    function supportsInterface(bytes4) external pure returns (bool) {
        return true;
    }
}

/// @title A target of proposals
contract Box {
    event Stored(uint256 value);

    uint256 public value;

    function store(uint256 value_) external payable {
        value = value_;
        emit Stored(value_);
    }

    function fail() external pure {
        revert("box: no");
    }
}

/// @title Shows another governor, but numbers like CompoundGovernor: hashProposal gives the next number
contract Numbering {
    address private immutable _governor;

    constructor(address governor) {
        _governor = governor;
    }

    function hashProposal(address[] memory, uint256[] memory, bytes[] memory, bytes32) external pure returns (uint256) {
        return 301;
    }

    function getNextProposalId() external pure returns (uint256) {
        return 301;
    }

    fallback() external payable virtual {
        address governor = _governor;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := staticcall(gas(), governor, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}

/// @title Shows another governor, under a name that would write over a terminal, by a clock of its own choice
contract Disguised is Numbering {
    uint48 private immutable _clock;
    string private _counting;

    constructor(address governor, uint48 clock_, string memory counting) Numbering(governor) {
        _clock = clock_;
        _counting = counting;
    }

    function name() external pure returns (string memory) {
        return unicode"Nice\u001b[2J\u202eName\u0000";
    }

    function clock() external view returns (uint48) {
        return _clock;
    }

    function COUNTING_MODE() external view returns (string memory) {
        return _counting;
    }
}

/// @title Shows a Governor Bravo whose token is called as Uniswap's is
contract BravoOfUniswap is Numbering {
    address public immutable uni;

    constructor(address governor, address token) Numbering(governor) {
        uni = token;
    }

    function comp() external pure {
        revert();
    }
}

/// @title Says it counts as a governor does, and nothing more that fits
contract HalfGovernor {
    function COUNTING_MODE() external pure returns (string memory) {
        return "support=bravo&quorum=for";
    }

    function votingDelay() external pure returns (uint256) {
        return 1;
    }

    function votingPeriod() external pure returns (uint256) {
        return 1;
    }
}

/// @title Emits what it is told: entries of 4 bytes length, two topics (the second may be zero: none), data
contract Repeater {
    fallback() external payable {
        uint256 at = 0;
        while (at < msg.data.length) {
            uint256 size = uint32(bytes4(msg.data[at:at + 4]));
            bytes32 topic = bytes32(msg.data[at + 4:at + 36]);
            bytes32 second = bytes32(msg.data[at + 36:at + 68]);
            bytes memory data = msg.data[at + 68:at + 68 + size];
            assembly {
                switch second
                case 0 { log1(add(data, 32), mload(data), topic) }
                default { log2(add(data, 32), mload(data), topic, second) }
            }
            at += 68 + size;
        }
    }
}
