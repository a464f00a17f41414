// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
    function delegate(address delegatee) external;
}

interface IGovernor {
    function castVote(uint256 proposalId, uint8 support) external returns (uint256);
    function castVoteWithReason(uint256 proposalId, uint8 support, string calldata reason)
        external
        returns (uint256);
}

/// @notice A holder of the benchmark's chain: does what its swarm says, as itself.
contract Member {
    address private immutable SWARM = msg.sender;

    function call(address target, bytes calldata data) external {
        require(msg.sender == SWARM, "not the swarm");
        (bool ok, bytes memory answer) = target.call(data);
        if (!ok) {
            assembly {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}

/// @notice Many holders and voters in one transaction, so that a chain of hundreds of thousands of
/// real token and governor events is made in a minute.
contract Swarm {
    IToken private immutable TOKEN;
    IGovernor private immutable GOVERNOR;
    Member[] private members;
    uint256 private transfers;

    string private constant REASON =
        "Because the treasury can bear it, the nodes ask for it, and the last vote on it was close enough to try again.";

    constructor(IToken token, IGovernor governor) {
        TOKEN = token;
        GOVERNOR = governor;
    }

    /// @notice Creates `count` members with `amount` tokens each, who delegate to themselves.
    function grow(uint256 count, uint256 amount) external {
        for (uint256 i = 0; i < count; ++i) {
            Member member = new Member();
            members.push(member);
            require(TOKEN.transfer(address(member), amount), "transfer failed");
            member.call(address(TOKEN), abi.encodeCall(IToken.delegate, (address(member))));
        }
    }

    /// @notice `count` votes on one proposal by the members from `first` on; three in ten say why.
    function vote(uint256 proposalId, uint256 first, uint256 count) public {
        for (uint256 i = first; i < first + count; ++i) {
            uint8 support = uint8(i % 3);
            bytes memory data = i % 10 < 3
                ? abi.encodeCall(IGovernor.castVoteWithReason, (proposalId, support, REASON))
                : abi.encodeCall(IGovernor.castVote, (proposalId, support));
            members[i % members.length].call(address(GOVERNOR), data);
        }
    }

    /// @notice `count` transfers from member to member: three logs each, with the moved votes.
    function pass(uint256 count) public {
        uint256 size = members.length;
        for (uint256 i = 0; i < count; ++i) {
            uint256 from = (transfers + i) % size;
            members[from].call(
                address(TOKEN),
                abi.encodeCall(IToken.transfer, (address(members[(from * 7 + 1) % size]), 1 gwei))
            );
        }
        transfers += count;
    }

    /// @notice One block's work: votes and transfers.
    function work(uint256 proposalId, uint256 first, uint256 votes, uint256 passes) external {
        vote(proposalId, first, votes);
        pass(passes);
    }
}
