"""The sentences of chain.errors_text, one per custom error. Words only."""

# Sentences stay whole, so that they can be read and searched.
# ruff: noqa: E501

#: IGovernor.ProposalState, in order.
STATES = (
    "pending",
    "open for voting",
    "cancelled",
    "defeated",
    "passed",
    "queued",
    "expired",
    "executed",
)

#: Solidity's panic codes.
PANICS = {
    0x01: "an assertion failed",
    0x11: "a calculation overflowed",
    0x12: "a division by zero",
    0x21: "a value outside its enumeration",
    0x31: "an empty list",
    0x32: "an index outside its list",
    0x41: "too much memory",
}

_GOVERNOR = {
    "GovernorAlreadyCastVote": "{voter} has already voted on this proposal. Votes cannot be changed.",
    "GovernorAlreadyInitializedLatestProposalId": "This governor has numbered proposals already, so its first number cannot change. Leave this action out.",
    "GovernorAlreadyOverriddenVote": "{account} has overridden its delegate on this proposal already. One override counts; there is nothing more to do.",
    "GovernorAlreadyQueuedProposal": "This proposal is already queued. Wait for its delay, then execute it.",
    "GovernorDisabledDeposit": "The governor holds no funds. Send them to the timelock instead.",
    "GovernorExceedRemainingWeight": "{voter} has {remainingWeight} votes left on this proposal, and this would use {usedVotes}. Use fewer.",
    "GovernorInsufficientProposerVotes": "Proposing needs {threshold} votes; {proposer} has {votes}. Gather delegations, or ask a delegate to propose.",
    "GovernorInvalidProposalLength": "The proposal's lists differ in length or are empty: {targets} targets, {values} values, {calldatas} calls. Add at least one whole action.",
    "GovernorInvalidQuorumFraction": "A quorum of {quorumNumerator} in {quorumDenominator} is more than everything. Choose a smaller one.",
    "GovernorInvalidSignature": "The signature is not one of {voter}. Sign again with that account.",
    "GovernorInvalidVoteParams": "The split of this vote cannot be read. Cast a plain vote, or split it again.",
    "GovernorInvalidVoteType": "A vote is for, against, abstain or a split. Choose one of them.",
    "GovernorInvalidVotingPeriod": "A voting period of {votingPeriod} is not allowed. Choose a longer one.",
    "GovernorNonexistentProposal": "The chain knows no such proposal. It may not be in a block yet: reload in a moment.",
    "GovernorNotQueuedProposal": "This proposal is not in the timelock. Queue it first, then execute it.",
    "GovernorOnlyExecutor": "Only an executed proposal may do this, not {account}. Make it an action of a proposal.",
    "GovernorPreventLateQuorumVoteExtensionTooLarge": "The late-quorum extension of {newVoteExtension} is above the most allowed, {maxVoteExtension}. Choose a shorter one.",
    "GovernorProposalQueueingFailed": "The timelock did not take this proposal. Check that the timelock is set up and try again.",
    "GovernorProposalQueueingNotRequired": "This proposal needs no queue. Execute it directly.",
    "GovernorQueueNotImplemented": "This governor has no timelock, so nothing is queued. Execute the proposal directly.",
    "GovernorRestrictedProposer": "The description reserves this proposal for another proposer than {proposer}. Change its #proposer= ending.",
    "GovernorUnableToCancel": "{account} may not cancel this proposal. Its proposer may while it is pending, the guardian later.",
    "GovernorUnexpectedProposalState": "The proposal is {current}, which does not allow this. Reload the page to see what is possible now.",
    "AlthingGovernorConstitutionalDelay": "This proposal is constitutional and may be executed from {executableAt} on. Try again then.",
    "AlthingGovernorGuardianNeedsTerm": "A guardian is always appointed with an end. Use setGuardian with a date.",
    "AlthingGovernorGuardianTermInvalid": "The guardian's term must end between {earliest} and {latest}, not at {until}. Choose a date between them.",
    "AlthingGovernorNeverRoutine": "Calls to {target} are never routine. Leave it off the list.",
    "CheckpointUnorderedInsertion": "The chain's clock went backwards for this record. Please report this; trying again later may help.",
    "ERC6372InconsistentClock": "The token's clock does not count seconds as it should. Please report this.",
}  # fmt: skip

_TIMELOCK = {
    "TimelockInsufficientDelay": "A delay of {delay} is shorter than the timelock's {minDelay}. Choose a longer one.",
    "TimelockInvalidOperationLength": "The operation's lists differ in length: {targets} targets, {payloads} calls, {values} values. Prepare it again.",
    "TimelockUnauthorizedCaller": "Only the timelock itself may do this, not {caller}. Make it an action of a proposal.",
    "TimelockUnexecutedPredecessor": "Another operation ({predecessorId}) has to be executed first. Execute that one, then try again.",
    "TimelockUnexpectedOperationState": "The timelock's operation is not in the state this needs: it is not ready yet, or done already. Reload to see which.",
    "AccessControlBadConfirmation": "A role can only be given up by its own holder. Use the account that has it.",
    "AccessControlUnauthorizedAccount": "{account} does not have the role this needs. Use an account that does, or make it a proposal.",
    "FailedCall": "An action of the proposal failed when it was carried out. Look at each action's trial run to see which.",
}  # fmt: skip

_TOKEN = {
    "AlthingTokenGenesisLengthMismatch": "The genesis list has {holders} holders and {amounts} amounts. Make them match.",
    "AlthingTokenUnauthorizedMinter": "Only the timelock mints, not {caller}. Make it an action of a proposal.",
    "AlthingTokenYearlyMintExceeded": "Minting {requested} tokens is above the {available} left for this year. Mint less, or wait.",
    "ECDSAInvalidSignature": "The signature cannot be read. Sign again.",
    "ECDSAInvalidSignatureLength": "The signature has {length} bytes instead of 65. Sign again.",
    "ECDSAInvalidSignatureS": "The signature is in a form the contract does not accept. Sign again with another wallet.",
    "ERC20ExceededCap": "The supply would become {increasedSupply} tokens, above the cap of {cap}. Mint less.",
    "ERC20ExceededSafeSupply": "The supply would become {increasedSupply} tokens, more than votes can count ({cap}). Mint less.",
    "ERC20InsufficientAllowance": "{spender} may spend {allowance} tokens of yours and needs {needed}. Approve more first.",
    "ERC20InsufficientBalance": "{sender} has {balance} tokens and needs {needed}. Send less, or top it up first.",
    "ERC20InvalidApprover": "{approver} cannot approve spending. Check the address.",
    "ERC20InvalidCap": "A cap of {cap} tokens is not allowed. Choose a cap above zero.",
    "ERC20InvalidReceiver": "{receiver} cannot receive tokens. Check the recipient's address.",
    "ERC20InvalidSender": "{sender} cannot send tokens. Check the address.",
    "ERC20InvalidSpender": "{spender} cannot be allowed to spend. Check the address.",
    "ERC2612ExpiredSignature": "The approval you signed ended at {deadline}. Sign a new one.",
    "ERC2612InvalidSigner": "The approval was signed by {signer}, not by the owner {owner}. Sign with the owner's account.",
    "ERC5805FutureLookup": "Votes of {timepoint} are not known yet; the chain is at {clock}. Wait until then.",
    "InvalidAccountNonce": "The signature of {account} is out of order (its next number is {currentNonce}). Sign again.",
    "InvalidShortString": "A short name cannot be read. Please report this.",
    "SafeCastOverflowedUintDowncast": "The number {value} does not fit in {bits} bits. Choose a smaller one.",
    "StringTooLong": "The text is too long: {str}. Shorten it.",
    "VotesExpiredSignature": "The delegation you signed ended at {expiry}. Sign a new one.",
}  # fmt: skip

_PARAMETERS = {
    "ParameterAlreadyDefined": "{key} is defined already. Change it with a parameter set instead.",
    "ParameterChangeTooLarge": "{key} may move from {from} to {allowed} at most in one change, not to {to}. Propose a smaller step.",
    "ParameterChangedTooRecently": "{key} was changed recently and may change again from {allowedAt} on. Wait until then.",
    "ParameterFutureLookup": "Values of a future time cannot be read. Ask for a past time.",
    "ParameterInvariantViolated": "The values would break rule {id} that binds several parameters together. Change them together so that the rule holds.",
    "ParameterKeysNotAscending": "The keys are not in ascending order at {key}. Let the form sort them.",
    "ParameterLengthMismatch": "The lists differ in length: {keys} keys, {expected} expected values, {values} new values. Prepare the change again.",
    "ParameterNotTightenable": "{key} cannot be tightened by the guardian. Propose a change instead.",
    "ParameterNotTighter": "{key} is {current}, and {value} is no tighter. The guardian may only tighten.",
    "ParameterOffStep": "{key} moves in steps of {step}, and {value} is between two. Choose a multiple.",
    "ParameterOutOfBounds": "{key} must be between {min} and {max}, not {value}. Choose a value in that range.",
    "ParameterPending": "{key}, or a parameter bound to it, has a change under way (set {setId}). Wait until it takes effect.",
    "ParameterSetEmpty": "The change names no parameter. Add at least one.",
    "ParameterSetNotPending": "Parameter set {setId} is not pending any more. Undo it by a proposal instead.",
    "ParameterSetNotUndoable": "Parameter set {setId} cannot be undone. Propose the former values as a new change.",
    "ParameterSetUnknown": "There is no parameter set {setId}. Check the number.",
    "ParameterSpecInvalid": "The definition of {key} contradicts itself. Check its bounds, step and delays.",
    "ParameterTightenedTooRecently": "{key} was tightened recently and may be again from {allowedAt} on. Wait until then.",
    "ParameterUnauthorized": "{caller} may not change parameters. Make it an action of a proposal.",
    "ParameterUnchanged": "{key} already has this value. Leave it out, or choose another value.",
    "ParameterUndefinedAt": "{key} was not defined at {timestamp}. Ask for a later time.",
    "ParameterUndoWindowClosed": "Parameter set {setId} could be undone until {closedAt}. Propose the former values as a new change.",
    "ParameterUnexpectedValue": "{key} is {actual} now, not {expected} as this proposal expects. Propose it again from the current value.",
    "ParameterUnknown": "There is no parameter {key}. Choose one from the list.",
    "ParametersAlreadySealed": "The registry is sealed: parameters are defined by proposals now.",
    "ParametersNotSealed": "The registry is not sealed yet. Finish the deployment first.",
}  # fmt: skip

_NODES = {
    "NodeAlreadySuspended": "The node is suspended already, until {until}. Resume it first.",
    "NodeAmountZero": "The amount is zero. Enter how much stake to add.",
    "NodeCapacityUnchanged": "The node already has {gpuCount} GPUs. Enter another number.",
    "NodeClassUnknown": "There is no GPU class {class}. Choose one from the list.",
    "NodeExiting": "The node is leaving the network, which does not allow this. Withdraw its stake when it is free.",
    "NodeGpuCountInvalid": "A node has between 1 and {max} GPUs, not {gpuCount}. Correct the number.",
    "NodeGuardianOnly": "Only the guardian may do this, not {caller}.",
    "NodeKeysAlreadyUsed": "These node keys were used before. Make new keys with the node agent.",
    "NodeKeysInvalid": "The node keys' hash is not valid. Make it again with the node agent.",
    "NodeNotSuspended": "The node is not suspended. There is nothing to resume.",
    "NodeNothingToWithdraw": "Nothing can be withdrawn yet; the stake is free from {withdrawableAt} on. Try again then.",
    "NodeRecipientInvalid": "Stake cannot be paid to {to}. Choose another recipient.",
    "NodeStakeInsufficient": "The stake of {stake} is below the {required} this needs. Add stake, or register fewer GPUs.",
    "NodeSuspensionShareExceeded": "Suspending {stake} of stake is above the {available} left for this epoch. Wait for the next epoch, or open a case.",
    "NodeSuspensionTimeExceeded": "The node was suspended for {used} of the {max} allowed in thirty days. Open a case instead.",
    "NodeTooManyUnbonds": "The node has {max} withdrawals under way, which is the most. Withdraw one first.",
    "NodeUnauthorized": "{caller} is not the operator of this node. Use the operator's account.",
    "NodeUnknown": "There is no such node. Check its id.",
    "SafeERC20FailedOperation": "The token {token} did not carry out the transfer. Check balance and approval.",
}  # fmt: skip

_LEDGER = {
    "LedgerEpochNotNext": "Epochs are posted in order: {next} is next, not {epoch}. Post that one first.",
    "LedgerEpochNotOver": "Epoch {epoch} lasts until {allowedAt}. Post it then.",
    "LedgerEpochNotUsable": "The root of epoch {epoch} can be used from {allowedAt} on. Try again then.",
    "LedgerEpochNotVoided": "Epoch {epoch} has a root that was not voided, which never changes. There is nothing to post.",
    "LedgerEpochUnknown": "Nothing was posted for epoch {epoch}. Check the number, or wait until it is posted.",
    "LedgerEpochVoided": "The root of epoch {epoch} was voided. Wait until the attestation service posts it again.",
    "LedgerRootInvalid": "An epoch of {count} verdicts cannot have the root {root}. Build the tree again.",
    "LedgerTotalInvalid": "The verdicts of an epoch can cover {max} at most, not {totalSeconds} seconds. Add them up again.",
    "LedgerUnauthorized": "{caller} may not do this. Use the guardian's account, or make it an action of a proposal.",
    "LedgerVoidWindowClosed": "The root of epoch {epoch} could be voided until {closedAt}. It stays.",
}  # fmt: skip

SENTENCES: dict[str, str] = {
    **_GOVERNOR,
    **_TIMELOCK,
    **_TOKEN,
    **_PARAMETERS,
    **_NODES,
    **_LEDGER,
}
