"""Real governors of every kind on the tests' chain: ``governor_factory("bravo")``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.governance.governors.deploy import governor_deploy
from tests.governance.governors.local import WHALE, LocalChain, LocalGovernor

GovernorFactory = Callable[[str], LocalGovernor]


@pytest.fixture
def local_chain(rpc: Any, web3_accounts: Sequence[Any]) -> LocalChain:
    """The tests' chain, without our own contracts unless ``deployment`` is asked for too."""
    chain = LocalChain(rpc, web3_accounts)
    # Two tests in one second would mine the same blocks. anvil keeps states by the block's hash and
    # drops the oldest: with the one test's it would drop the other's.
    chain.done(WHALE, os.urandom(20), value_wei=1)
    return chain


@pytest.fixture
def governor_factory(local_chain: LocalChain) -> GovernorFactory:
    """``governor_factory(kind)`` deploys a governor of a kind of ``deploy.KINDS`` with its token,
    timelock and holders."""
    return lambda kind: governor_deploy(local_chain, kind)
