"""What nodes say to a transaction, by client; and what the one here really says."""

from __future__ import annotations

from typing import Any

import pytest

from chain.rpc.classifier import classify
from chain.rpc.client import RpcClient
from chain.rpc.errors import RpcError, Transient
from chain.rpc.send_errors import TABLE, SendOutcome, send_outcome
from chain.sender.keys import key_from_private
from tests.chain.sending import KEEPER, by_hand
from tests.chain.test_remote_key import transaction

#: (client, code, words, outcome). go-ethereum core/error.go and core/txpool/errors.go; Nethermind
#: AcceptTxResult.cs; Besu RpcErrorType.java; Erigon txpoolcfg.go; Reth rpc-eth-types error.rs.
SAID: list[tuple[str, int, str, str]] = [
    ("geth", -32000, "already known", "known"),
    ("geth", -32000, "nonce too low: next nonce 82, tx nonce 81", "nonce_too_low"),
    ("geth", -32000, "nonce too low: address 0x00, tx: 0 state: 4", "nonce_too_low"),
    ("geth", -32000, "nonce too high: address 0x00, tx: 9 state: 4", "nonce_gap"),
    ("geth", -32000, "replacement transaction underpriced", "underpriced"),
    (
        "geth",
        -32000,
        "transaction underpriced: gas tip cap 1, minimum needed 1000000",
        "underpriced",
    ),
    (
        "geth",
        -32000,
        "max fee per gas less than block base fee: address 0x00, maxFeePerGas: 1, baseFee: 7",
        "underpriced",
    ),
    (
        "geth",
        -32000,
        "insufficient funds for gas * price + value: balance 0, tx cost 21, overshot 21",
        "insufficient_funds",
    ),
    ("geth", -32000, "txpool is full", "unknown"),
    ("geth", -32000, "in-flight transaction limit reached for delegated accounts", "unknown"),
    ("geth", -32000, "gapped-nonce tx from delegated accounts", "nonce_gap"),
    ("geth", -32000, "exceeds block gas limit", "refused"),
    ("geth", -32000, "intrinsic gas too low: gas 20000, minimum needed 21000", "refused"),
    ("geth", -32000, "tx fee (1.50 ether) exceeds the configured cap (1.00 ether)", "refused"),
    ("geth", -32000, "invalid sender", "refused"),
    ("geth", -32000, "transaction type not supported", "refused"),
    ("op-geth", -32000, "already known", "known"),
    ("op-geth", -32000, "insufficient funds for gas * price + value", "insufficient_funds"),
    ("nethermind", -32010, "AlreadyKnown", "known"),
    ("nethermind", -32010, "OwnNonceAlreadyUsed", "known"),
    ("nethermind", -32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 3", "nonce_too_low"),
    ("nethermind", -32010, "NonceGap, Future nonce. Expected nonce: 5", "nonce_gap"),
    ("nethermind", -32010, "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1", "underpriced"),
    ("nethermind", -32010, "FeeTooLowToCompete", "underpriced"),
    ("nethermind", -32010, "ReplacementNotAllowed", "underpriced"),
    ("nethermind", -32010, "InsufficientFunds, Account balance: 0", "insufficient_funds"),
    ("nethermind", -32010, "GasLimitExceeded, Gas limit: 30000000", "refused"),
    ("nethermind", -32010, "SenderIsContract", "refused"),
    ("besu", -32000, "Known transaction", "known"),
    ("besu", -32001, "Nonce too low", "nonce_too_low"),
    ("besu", -32006, "Nonce too high", "nonce_gap"),
    ("besu", -32000, "Replacement transaction underpriced", "underpriced"),
    ("besu", -32009, "Gas price below configured minimum gas price", "underpriced"),
    ("besu", -32009, "Gas price below current base fee", "underpriced"),
    ("besu", -32004, "Upfront cost exceeds account balance", "insufficient_funds"),
    ("besu", -32005, "Transaction gas limit exceeds block gas limit", "refused"),
    ("besu", -32003, "Intrinsic gas exceeds gas limit", "refused"),
    ("besu", -32000, "Transaction fee cap exceeded", "refused"),
    ("besu", -32002, "Invalid signature", "refused"),
    ("erigon", -32000, "already known", "known"),
    ("erigon", -32000, "existing tx with same hash", "known"),
    ("erigon", -32000, "nonce too low", "nonce_too_low"),
    ("erigon", -32000, "INTERNAL_ERROR: could not replace existing tx", "underpriced"),
    ("erigon", -32000, "fee too low", "underpriced"),
    ("erigon", -32000, "underpriced", "underpriced"),
    ("erigon", -32000, "insufficient funds", "insufficient_funds"),
    ("erigon", -32000, "pending sub-pool is full", "unknown"),
    ("reth", -32000, "already known", "known"),
    ("reth", -32000, "nonce too low: next nonce 1, tx nonce 0", "nonce_too_low"),
    ("reth", -32000, "transaction underpriced", "underpriced"),
    ("reth", -32000, "max fee per gas less than block base fee", "underpriced"),
    (
        "reth",
        -32000,
        "insufficient funds for gas * price + value: have 1 want 2",
        "insufficient_funds",
    ),
    ("reth", -32000, "invalid chain ID", "refused"),
    ("anvil", -32003, "transaction already imported", "known"),
    ("anvil", -32003, "nonce too low", "nonce_too_low"),
    (
        "anvil",
        -32003,
        "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit",
        "refused",
    ),
    ("providers", -32000, "tx already exists in mempool", "known"),
    ("providers", -32000, "Transaction nonce has already been used", "nonce_too_low"),
    ("providers", -32000, "unknown transaction type", "unknown"),
    ("providers", -32005, "rate limit exceeded", "unknown"),
    ("providers", -32603, "internal error", "unknown"),
    ("providers", -32000, "", "unknown"),
]


@pytest.mark.parametrize(("client", "code", "words", "outcome"), SAID)
def test_each_client_s_words(client: str, code: int, words: str, outcome: str) -> None:
    assert send_outcome(classify(code, words)) == outcome


def test_a_lost_connection_says_nothing_about_the_transaction() -> None:
    assert send_outcome(Transient("ReadTimeout: timed out")) == SendOutcome.UNKNOWN
    assert send_outcome(RpcError("")) == SendOutcome.UNKNOWN


def test_every_row_of_the_table_is_said_by_somebody_here() -> None:
    said = [words for _, _, words, _ in SAID]
    unproven = [row.pattern.pattern for row in TABLE if not any(map(row.pattern.search, said))]
    # Wordings taken from the clients' sources without a sample of the whole sentence.
    assert len(unproven) <= 8, unproven


@pytest.mark.chain
def test_what_anvil_really_says(client: RpcClient, rpc: Any, web3_accounts: list[Any]) -> None:
    key = key_from_private(web3_accounts[KEEPER].private_key)
    poor = key_from_private(b"\x42" * 32)
    base_fee = client.header("latest").base_fee_wei
    start = client.nonce(key.address)
    fees = {"maxFeePerGas": 4 * base_fee + 10**9, "maxPriorityFeePerGas": 10**9}

    def said(signer: Any = key, **changed: Any) -> SendOutcome:
        signed = signer.sign(transaction(**({"nonce": start} | fees | changed)))
        try:
            assert client.send_raw(signed.raw) == signed.hash
        except RpcError as error:
            return send_outcome(error)
        return SendOutcome.ACCEPTED

    with by_hand(rpc):
        assert said() == SendOutcome.ACCEPTED
        assert said() == SendOutcome.KNOWN
        assert said(value=6) == SendOutcome.UNDERPRICED
        assert said(signer=poor, nonce=0) == SendOutcome.INSUFFICIENT_FUNDS
        assert said(nonce=start + 1, gas=20_000) == SendOutcome.REFUSED
        assert said(nonce=start + 1, gas=10**10) == SendOutcome.REFUSED
        assert said(chainId=1, nonce=start + 1) == SendOutcome.REFUSED
        rpc("anvil_mine", "0x1")
        assert said() in (SendOutcome.KNOWN, SendOutcome.NONCE_TOO_LOW)
        assert said(value=7) == SendOutcome.NONCE_TOO_LOW
        rpc("anvil_dropAllTransactions")
