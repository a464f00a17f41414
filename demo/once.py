"""``make demo ONCE=1``: the whole way without a person, with real parts, and one line of JSON.

Sign in by SIWE, propose a new `attest.ttl` through the form in a real browser, vote from
several wallets, let the keeper queue and execute, read the value from the chain, the API and the
page, see a verdict of the old policy judged stale by the new one, and survive a reorganisation
of the very block that carried it out. On the way: nodes of several tiers, one that fails for a
stated reason, and the preview of what the new value means for the nodes.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Browser

from demo.browser import Wallet, browser_open
from demo.build import World
from demo.episodes import key_of
from demo.fleet import Fleet
from demo.processes import Processes
from demo.visitor import Visitor

#: The node whose firmware differs from its manifest, and one whose cards sign no reports.
FAILING, COMPUTING = "pune-1", "leipzig-1"
PARAMETER = "attest.ttl"
NEW_VALUE_S = 120
VOTERS = 3
TITLE = "Judge reports by the last two minutes"
TEXT = "Nodes report every minute; two minutes forgive one lost report."
#: Seconds the pages may take to show what the chain already says. A bound, not a measure.
PATIENCE_S = 90
POLL_S = 0.25
REORG_DEPTH = 1


class NotProven(AssertionError):
    """A claim of the proof does not hold."""


@dataclass
class Proof:
    """The way, step by step; `steps` holds seconds, `facts` what was read."""

    world: World
    browser: Browser
    fleet: Fleet
    processes: Processes
    steps: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    #: Ends the threads in which nodes answer compute rounds.
    ended: threading.Event = field(default_factory=threading.Event)

    # --- tools ------------------------------------------------------------------------
    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        print(f"  {name} ...", end="", flush=True, file=sys.stderr)
        started = time.monotonic()
        yield
        self.steps[name] = round(time.monotonic() - started, 2)
        print(f" {self.steps[name]} s", file=sys.stderr)

    def api(self, path: str) -> Any:
        answer = httpx.get(f"{self.world.url}/api/v1{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def wait(self, claim: str, holds: Callable[[], Any]) -> Any:
        """Poll until `holds` gives something true; the last answer is returned."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = holds()
            if found:
                return found
            self.processes.check()
            time.sleep(POLL_S)
        raise NotProven(f"not within {PATIENCE_S} s: {claim}")

    def claim(self, text: str, holds: bool) -> None:
        if not holds:
            raise NotProven(text)

    @contextmanager
    def visitor(self, account: str) -> Iterator[Visitor]:
        wallet = Wallet(self.world.environment["RPC_URL"], account)
        visitor = Visitor.open(self.browser, wallet, self.world.url)
        try:
            yield visitor
        finally:
            self.complaints += visitor.complaints
            visitor.close()

    # --- what is read ------------------------------------------------------------------
    def chain_value(self) -> int:
        word = self.world.chain.call("NetworkParameters", "get", key_of(PARAMETER))
        return int.from_bytes(bytes(word), "big")

    def api_value(self) -> int:
        return int(self.api(f"/parameters/{PARAMETER}/")["value"])

    def page_value(self, visitor: Visitor) -> int:
        visitor.visit(f"/parameters/{PARAMETER}/")
        tile = visitor.page.locator(".tile", has_text="In force")
        # "2 700 s (45 min)": the figure before the unit, whatever groups its digits.
        return int(re.sub(r"\s", "", tile.locator(".tile-value").inner_text().split("s")[0]))

    def values(self, visitor: Visitor) -> dict[str, int]:
        return {
            "chain": self.chain_value(),
            "api": self.api_value(),
            "page": self.page_value(visitor),
        }

    def proposal(self) -> dict[str, Any]:
        return dict(self.api(f"/proposals/{self.facts['proposal']}/"))

    def state_is(self, *states: str) -> bool:
        return str(self.proposal()["state"]).lower() in states

    # --- the way -----------------------------------------------------------------------
    def run(self) -> None:
        parliament = self.world.parliament
        with self.step("attest_all"):
            self.facts["nodes"] = self._nodes()
        with self.step("attest"):
            self.facts["verdict"] = self._attest()
        with self.visitor(parliament.delegates[0]) as proposer:
            with self.step("sign_in"):
                proposer.sign_in()
            self.facts["old"] = self.values(proposer)
            with self.step("propose"):
                self.facts["proposal"] = self._propose(proposer)
            with self.step("preview"):
                self.facts["preview"] = self._preview(proposer)
            with self.step("vote"):
                self._vote()
            with self.step("compute"):
                self.facts["nodes"]["tiers"] = self._compute()
            with self.step("queue_and_execute"):
                self._carry_out()
            with self.step("reorg"):
                self.facts["reorg"] = self._reorg()
            with self.step("read_back"):
                self.facts["new"] = self._values_new(proposer)
            with self.step("verdict"):
                self.facts["verdict"] |= self._stale()
        self.claim(f"the browser complained: {self.complaints}", not self.complaints)

    def _nodes(self) -> dict[str, Any]:
        """Let every node report: they prove several tiers, and one fails for a stated reason."""
        self.fleet.prove_all()
        self.fleet.attest_all(self.ended)
        self.fleet.rounds_answer(self.ended)
        found = {spec.name: self._latest(node.node_id) for spec, node in self.fleet.nodes}
        judged = {name: verdict for name, verdict in found.items() if verdict is not None}
        tiers = sorted({verdict["tier"] for verdict in judged.values()})
        self.claim(f"nodes of several tiers: {tiers}", len(tiers) > 1)
        failed = judged[FAILING]
        codes = [item["code"] for item in failed["findings"]["findings"]]
        self.claim(f"{FAILING} fails by its measurements: {codes}", "meas.mismatch" in codes)
        self.claim(f"{FAILING} is refused", failed["status"] == "contraindicated")
        return {
            "tiers": tiers,
            "failed": FAILING,
            "why": failed["sentence"],
            "incident": self._suspended(failed["node_id"]),
        }

    def _suspended(self, node_id: str) -> dict[str, Any]:
        """Refused so often, it is suspended by the service: with a reason, evidence, a cure."""
        self.wait(
            f"{FAILING} is suspended by the service",
            lambda: self._standing(node_id)["standing"] == "suspended",
        )
        incident = self.wait(
            "its incident says so",
            lambda: next(
                (
                    item
                    for item in self.api(f"/nodes/{node_id}/incidents/")["results"]
                    if item["action"] == "suspended"
                ),
                None,
            ),
        )
        self.claim("the incident names its evidence", incident["code"] == "meas.mismatch")
        return {name: incident[name] for name in ("code", "verdict_id", "suspension_hash")}

    def _latest(self, node_id: str) -> dict[str, Any] | None:
        listed = self.api(f"/nodes/{node_id}/verdicts/?limit=1")["results"]
        return dict(self.api(f"/verdicts/{listed[0]['id']}/")) if listed else None

    def _compute(self) -> list[int]:
        """A node whose cards sign no reports proves T2: it has answered a compute round."""
        (node,) = (node for spec, node in self.fleet.nodes if spec.name == COMPUTING)
        rounds = f"/nodes/{node.node_id}/compute-rounds/"
        self.wait(
            f"{COMPUTING} has passed a compute round",
            lambda: any(round_["status"] == "passed" for round_ in self.api(rounds)["results"]),
        )
        verdict = node.attest().verdict
        self.claim(f"{COMPUTING} proves T2: {verdict}", verdict["tier"] == 2)
        self.claim(f"{COMPUTING} is accepted: {verdict}", verdict["status"] != "contraindicated")
        return sorted({2, *self.facts["nodes"]["tiers"]})

    def _preview(self, proposer: Visitor) -> dict[str, Any]:
        """The proposal's page says what the new value would mean for the nodes, as the API does."""
        card = proposer.page.locator("#policy-preview")
        card.get_by_text("Judged from each node's last report").wait_for()
        counts = self.api(f"/policy/preview/?set={PARAMETER}:{NEW_VALUE_S}")["counts"]
        return {"page": card.locator("p").first.inner_text(), "counts": counts}

    def _attest(self) -> dict[str, Any]:
        """Report from one node; its verdict is the one we follow."""
        verdict = self.fleet.attest_once()
        self._attested_at = time.time()
        self.claim(f"the verdict was not accepted: {verdict}", verdict["status"] == "affirming")
        standing = self.wait(
            "the node stands as attested under the old value",
            lambda: (
                self._standing(verdict["node_id"])["standing"] == "attested"
                and self._standing(verdict["node_id"])
            ),
        )
        return {
            "node": verdict["node_id"],
            "id": verdict["id"],
            "before": standing["standing"],
            "policy_before": standing["judged_by_policy_version"],
        }

    def _standing(self, node_id: str) -> dict[str, Any]:
        return dict(self.api(f"/nodes/{node_id}/")["standing"])

    def _propose(self, proposer: Visitor) -> int:
        return proposer.propose_parameter(PARAMETER, NEW_VALUE_S, title=TITLE, text=TEXT)

    def _vote(self) -> None:
        chain, parliament = self.world.chain, self.world.parliament
        chain.advance(parliament.setting("voting_delay_s") + 1)
        self.wait("the vote is open", lambda: self.state_is("active"))
        for account in parliament.delegates[:VOTERS]:
            with self.visitor(account) as voter:
                voter.sign_in()
                voter.vote(self.facts["proposal"], 1, reason="Two reports a verdict.")
        proposal = self.proposal()
        self.claim("quorum is reached", int(proposal["for_wei"]) >= int(proposal["quorum_wei"]))

    def _carry_out(self) -> None:
        """Let time pass; the keeper queues and executes by itself."""
        chain, parliament = self.world.chain, self.world.parliament
        chain.advance(
            parliament.setting("voting_period_s")
            + parliament.setting("late_quorum_extension_s")
            + 60
        )
        self.wait("the keeper queued it", lambda: self.state_is("queued"))
        # From here on blocks come on demand, so that the block that carries it out stays
        # the newest and can be reorganised away.
        chain.stop_mining()
        chain.advance(parliament.setting("timelock_delay_s") + 1)
        self.wait("the keeper executed it", self._mine_until_executed)
        self.wait("the site shows it executed", lambda: self.state_is("executed"))

    def _mine_until_executed(self) -> bool:
        """Mine a block only when the keeper's transaction waits for one."""
        chain = self.world.chain
        if int(chain.rpc("txpool_status")["pending"], 16):
            chain.rpc("evm_mine")
        return self.chain_value() == NEW_VALUE_S

    def _reorg(self) -> dict[str, Any]:
        """Drop the block that carried it out; the site must say so, and the keeper try again."""
        chain = self.world.chain
        dropped = self.proposal()["executed_tx"]
        chain.rpc("anvil_reorg", REORG_DEPTH, [])
        self.claim("the reorg undid the change", self.chain_value() != NEW_VALUE_S)
        self.wait("the site shows it queued again", lambda: self.state_is("queued"))
        undone = self.api_value()
        self.claim("the API shows the old value again", undone == self.facts["old"]["api"])
        self.wait("the keeper executed it again", self._mine_until_executed)
        self.wait("the site shows it executed again", lambda: self.state_is("executed"))
        chain.advance_to(int(time.time()))
        chain.tick()
        return {"depth": REORG_DEPTH, "dropped": dropped, "again": self.proposal()["executed_tx"]}

    def _values_new(self, visitor: Visitor) -> dict[str, int]:
        values = self.wait(
            "chain, API and page agree on the new value",
            lambda: (
                (found := self.values(visitor)) and set(found.values()) == {NEW_VALUE_S} and found
            ),
        )
        return dict(values)

    def _stale(self) -> dict[str, Any]:
        """The report of the first step is older than the new value allows, not the old one."""
        age_s = NEW_VALUE_S - (time.time() - self._attested_at)
        time.sleep(max(0.0, age_s + 1))
        standing = self.wait(
            "the verdict is judged stale under the new value",
            lambda: (
                (found := self._standing(self.facts["verdict"]["node"]))["standing"] == "stale"
                and found
            ),
        )
        age_s = time.time() - self._attested_at
        self.claim("it would still be fresh under the old value", age_s < self.facts["old"]["api"])
        return {
            "after": standing["standing"],
            "policy_after": standing["policy_version"],
            "age_s": round(age_s),
        }


def prove(world: World, processes: Processes) -> int:
    """Run the way and print one JSON line; 0 only if all of it holds."""
    started = time.monotonic()
    fleet = Fleet(world.folder, world.url, world.environment["RPC_URL"])
    with browser_open() as browser:
        proof = Proof(world, browser, fleet, processes)
        error = ""
        try:
            proof.run()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the line must say it
            error = f"{type(problem).__name__}: {problem}"
        finally:
            proof.ended.set()
    report = {
        "ok": not error,
        "parameter": PARAMETER,
        **proof.facts,
        "steps_s": proof.steps,
        "total_s": round(time.monotonic() - started, 2),
    }
    if error:
        report["error"] = error
    print(json.dumps(report), flush=True)
    return 0 if not error else 1
