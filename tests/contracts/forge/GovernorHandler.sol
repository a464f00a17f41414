// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {IGovernorUnderTest, ITimelock} from "./AlthingTest.sol";
import {Vm} from "./Vm.sol";

/// @dev Counts how often each proposal's call really ran.
contract Ballot {
    address private immutable _timelock;
    mapping(uint256 number => uint256) public ran;
    bool public strangerCalled;

    constructor(address timelock) {
        _timelock = timelock;
    }

    function run(uint256 number) external {
        if (msg.sender != _timelock) strangerCalled = true;
        ++ran[number];
    }
}

/// @dev Proposes, votes, queues, executes and cancels in any order, as holder, guardian and stranger.
contract GovernorHandler {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    struct Proposal {
        uint256 id;
        uint256 number;
        bool routine;
        uint256 notBefore;
        uint256 notAfter;
    }

    IGovernorUnderTest private immutable _governor;
    ITimelock private immutable _timelock;
    address private immutable _holder;
    address private immutable _guardian;
    Ballot public immutable ballot;
    Ballot public immutable routineBallot;

    Proposal[] public proposals;
    uint256 public executions;
    string public broken;

    constructor(
        IGovernorUnderTest governor,
        ITimelock timelock,
        address holder,
        address guardian,
        Ballot ballot_,
        Ballot routineBallot_
    ) {
        (_governor, _timelock, _holder, _guardian) = (governor, timelock, holder, guardian);
        (ballot, routineBallot) = (ballot_, routineBallot_);
    }

    function proposalCount() external view returns (uint256) {
        return proposals.length;
    }

    function propose(bool routine) external {
        uint256 number = proposals.length + 1;
        address[] memory targets = new address[](1);
        bytes[] memory calldatas = new bytes[](1);
        targets[0] = address(routine ? routineBallot : ballot);
        calldatas[0] = abi.encodeCall(Ballot.run, (number));
        vm.prank(_holder);
        uint256 id = _governor.propose(targets, new uint256[](1), calldatas, "x");
        require(_governor.isConstitutional(id) == !routine, "routine list misread");
        proposals.push(Proposal(id, number, routine, 0, 0));
    }

    function vote(uint256 seed, uint8 support) external {
        if (proposals.length == 0) return;
        vm.prank(_holder);
        // Mostly for, or nothing would ever be executed.
        try _governor.castVote(_proposal(seed).id, support % 4 == 0 ? 0 : 1) {} catch {}
    }

    /// @dev The next step a proposal's friends would take; without it few would ever reach their execution.
    function advance(uint256 seed) external {
        if (proposals.length == 0) return;
        Proposal storage proposal = _proposal(seed);
        IGovernor.ProposalState state = _governor.state(proposal.id);
        if (state == IGovernor.ProposalState.Pending) {
            vm.warp(_governor.proposalSnapshot(proposal.id) + 1);
        } else if (state == IGovernor.ProposalState.Active) {
            vm.prank(_holder);
            try _governor.castVote(proposal.id, 1) {} catch {}
            vm.warp(_governor.proposalDeadline(proposal.id) + 1);
        } else if (state == IGovernor.ProposalState.Succeeded) {
            queue(seed);
        } else if (state == IGovernor.ProposalState.Queued) {
            vm.warp(block.timestamp + (seed % 31));
            execute(seed);
        }
    }

    function queue(uint256 seed) public {
        if (proposals.length == 0) return;
        Proposal storage proposal = _proposal(seed);
        (address[] memory targets, uint256[] memory values, bytes[] memory calldatas) = _calls(proposal);
        try _governor.queue(targets, values, calldatas, keccak256("x")) {
            // 10 s of timelock, 20 s more for what is constitutional, 14 days to execute after both.
            proposal.notBefore = block.timestamp + 10 + (proposal.routine ? 0 : 20);
            proposal.notAfter = block.timestamp + 10 + 20 + 14 days;
        } catch {}
    }

    function execute(uint256 seed) public {
        if (proposals.length == 0) return;
        Proposal storage proposal = _proposal(seed);
        (address[] memory targets, uint256[] memory values, bytes[] memory calldatas) = _calls(proposal);
        try _governor.execute(targets, values, calldatas, keccak256("x")) {
            ++executions;
            if (proposal.notBefore == 0) broken = "executed without being queued";
            if (block.timestamp < proposal.notBefore) broken = "executed before its time";
            if (block.timestamp > proposal.notAfter) broken = "executed after its expiry";
        } catch {}
    }

    /// @dev The timelock obeys the governor alone.
    function executeByTimelock(uint256 seed, uint256 who) external {
        if (proposals.length == 0) return;
        (address[] memory targets, uint256[] memory values, bytes[] memory calldatas) = _calls(_proposal(seed));
        bytes32 salt = bytes20(address(_governor)) ^ keccak256("x");
        address[3] memory callers = [_holder, _guardian, address(this)];
        vm.prank(callers[who % 3]);
        try _timelock.executeBatch(targets, values, calldatas, 0, salt) {
            broken = "the timelock executed for a stranger";
        } catch {}
    }

    function cancelByGuardian(uint256 seed) external {
        if (proposals.length == 0 || seed % 4 != 0) return;
        // Not `isGuardian`: that is what is judged.
        _cancel(_proposal(seed), _guardian, block.timestamp < _governor.guardianUntil());
    }

    function cancelByProposer(uint256 seed) external {
        if (proposals.length == 0) return;
        Proposal storage proposal = _proposal(seed);
        _cancel(proposal, _holder, _governor.state(proposal.id) == IGovernor.ProposalState.Pending);
    }

    function wait(uint256 seconds_) external {
        // Mostly seconds: delay, voting and timelock take 5, 60 and 10; sometimes past the expiry or the guardian.
        vm.warp(block.timestamp + 1 + (seconds_ % 20 == 0 ? (seconds_ % 40 == 0 ? 31 days : 15 days) : seconds_ % 40));
    }

    function _cancel(Proposal storage proposal, address caller, bool allowed) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calldatas) = _calls(proposal);
        vm.prank(caller);
        try _governor.cancel(targets, values, calldatas, keccak256("x")) {
            if (!allowed) broken = "somebody without the right cancelled";
        } catch {}
    }

    function _proposal(uint256 seed) private view returns (Proposal storage) {
        // The newest few are the ones that still move.
        uint256 back = seed % 3;
        uint256 last = proposals.length - 1;
        return proposals[last > back ? last - back : last];
    }

    function _calls(
        Proposal storage proposal
    ) private view returns (address[] memory targets, uint256[] memory values, bytes[] memory calldatas) {
        targets = new address[](1);
        values = new uint256[](1);
        calldatas = new bytes[](1);
        targets[0] = address(proposal.routine ? routineBallot : ballot);
        calldatas[0] = abi.encodeCall(Ballot.run, (proposal.number));
    }
}
