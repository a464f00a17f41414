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
