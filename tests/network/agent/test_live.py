"""The whole way of a node with the real parts: keystore, chain, service over HTTP, verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_account import Account

from chain import clock
from network.agent import cli
from network.agent.client import ServiceClient
from network.agent.errors import Exit, ServiceRefused, ServiceUnreachable
from network.agent.home import Home
from network.agent.rounds import Node
from network.agent.sources import EmulatedSource
from network.attestation.emulator import Behaviour, EmulatorAuthority
from network.models import Attestation, NodeKey, Verdict
from network.selectors.evidence import evidence_read
from tests.network.conftest import OPERATOR, World

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]

PASSPHRASE = "correct horse"


@pytest.fixture
def server(live_server: Any, service: World, settings: Any) -> str:
    """The service on a real socket, under the address that it believes to have."""
    settings.SITE_URL = live_server.url
    return str(live_server.url)


class Operator:
    """One operator at one node's command line."""

    def __init__(self, home: Path, server: str, emulator: Path, world: World) -> None:
        self.home = home
        self.server = server
        self.emulator = emulator
        self.world = world
        self.account = world.accounts[OPERATOR]
        self.clients: list[ServiceClient] = []
        home.mkdir(mode=0o700)
        keystore = Account.encrypt(self.account.private_key, PASSPHRASE, iterations=2)
        (home / "keystore.json").write_text(json.dumps(keystore))
        (home / "passphrase").write_text(PASSPHRASE + "\n")

    def __call__(self, *arguments: str, server: str | None = None) -> Result:
        base = ["--home", str(self.home)]
        if server or self.server:
            base += ["--server", server or self.server]
        return CliRunner().invoke(cli.main, [*base, *arguments], catch_exceptions=False)

    @property
    def wallet(self) -> tuple[str, ...]:
        keystore, passphrase = self.home / "keystore.json", self.home / "passphrase"
        return ("--keystore", str(keystore), "--passphrase-file", str(passphrase))

    @property
    def emulated(self) -> tuple[str, ...]:
        return ("--emulated", "--emulator-dir", str(self.emulator), "--gpus", "2")

    def client(self, **options: Any) -> ServiceClient:
        """A client that is closed with the test."""
        self.clients.append(ServiceClient(self.server, **options))
        return self.clients[-1]

    def node(self, **behaviour: Any) -> Node:
        """The same node in Python, with something wrong with its second card."""
        home = Home(self.home)
        node_id = home.config_load().node_id
        assert node_id is not None
        return Node(
            client=self.client(),
            home=home,
            source=EmulatedSource(
                EmulatorAuthority.load_or_create(self.emulator),
                node_id,
                "h100_80g",
                2,
                behaviours={1: Behaviour(**behaviour)},
            ),
            keys=home.keys_load(),
            node_id=node_id,
        )


@pytest.fixture
def operator(
    tmp_path: Path,
    server: str,
    emulator: tuple[Path, EmulatorAuthority],
    service: World,
) -> Iterator[Operator]:
    made = Operator(tmp_path / "node", server, emulator[0], service)
    yield made
    for client in made.clients:
        client.close()


@pytest.fixture
def registered(operator: Operator, settings: Any) -> Operator:
    """Registered on chain by keystore, indexed, and proven to the service."""
    assert operator("keygen").exit_code == 0
    # Without a server: nothing is indexed while this test holds the only thread.
    operator.server, server = "", operator.server
    result = operator(
        "register",
        *("--class", "h100_80g", "--gpus", "2", "--region", "eu-north"),
        *("--metadata-uri", "https://node.example/meta"),
        *("--deployment", str(settings.ALTHING_DEPLOYMENT), "--rpc-url", settings.RPC_URL),
        *operator.wallet,
    )
    assert result.exit_code == 0, result.output
    assert "Approving the stake" in result.output
    operator.server = server
    operator.world.settle()
    result = operator("prove", *operator.wallet)
    assert result.exit_code == 0, result.output
    assert "The service accepts key" in result.output
    return operator


def test_register_prove_attest(registered: Operator) -> None:
    first = registered("attest", *registered.emulated)
    assert first.exit_code == 0, first.output
    assert "Report 1: affirming, tier T4 of T4 required (EMULATED GPUs)." in first.output
    second = registered("attest", "--json", *registered.emulated)
    assert second.exit_code == 0, second.output
    answer = json.loads(second.output)
    assert answer["attestation"]["seq"] == 2
    assert answer["verdict"]["emulated"] is True
    reports = list(Attestation.objects.order_by("seq"))
    assert reports[1].previous_hash == reports[0].report_hash
    home = Home(registered.home)
    assert home.state_load().last_hash == f"0x{bytes(reports[1].report_hash).hex()}"
    stored = json.loads(evidence_read(reports[1]))
    assert stored["inventory"]["source"] == "ALTHING EMULATED"
    key = NodeKey.objects.get()
    assert key.key_id == home.keys_load().public.hex()
    # Proven with both keys, and signed with both: the network's default is hybrid.
    assert (key.ml_dsa_65, len(key.ml_dsa_signature)) == (home.keys_load().pq_public, 3309)
    assert "pq.absent" not in {row["code"] for row in answer["verdict"]["findings"]["findings"]}
    assert Verdict.objects.latest("id").inputs["facts"]["pq_signed"] is True


def test_registering_again_changes_nothing(registered: Operator, settings: Any) -> None:
    nonce = registered.world.rpc("eth_getTransactionCount", registered.account.checksum, "latest")
    result = registered(
        "register",
        *("--class", "h100_80g", "--gpus", "2", "--region", "eu-north"),
        *("--deployment", str(settings.ALTHING_DEPLOYMENT), "--rpc-url", settings.RPC_URL),
        *registered.wallet,
    )
    assert result.exit_code == 0, result.output
    assert "registered already" in result.output
    after = registered.world.rpc("eth_getTransactionCount", registered.account.checksum, "latest")
    assert after == nonce


def test_refusals_of_the_contract_are_named(operator: Operator, settings: Any) -> None:
    operator("keygen")
    result = operator(
        "register",
        *("--class", "no_such_class", "--gpus", "2", "--region", "eu-north"),
        *("--deployment", str(settings.ALTHING_DEPLOYMENT), "--rpc-url", settings.RPC_URL),
        *operator.wallet,
    )
    assert result.exit_code == Exit.CHAIN
    assert "registration_reverted: The contract refuses:" in result.output


def test_a_registration_that_cannot_be_sent_is_named(
    operator: Operator, settings: Any, tmp_path: Path
) -> None:
    operator("keygen")
    deployed = Path(settings.ALTHING_DEPLOYMENT)

    def refused(deployment: Path, rpc_url: str = settings.RPC_URL) -> str:
        result = operator(
            "register",
            *("--class", "h100_80g", "--gpus", "2", "--region", "eu-north"),
            *("--deployment", str(deployment), "--rpc-url", rpc_url),
            *operator.wallet,
        )
        assert result.exit_code == Exit.CHAIN, result.output
        return result.output.partition(":")[0]

    other = tmp_path / "other.json"
    other.write_text(json.dumps(json.loads(deployed.read_text()) | {"chain_id": 1}))
    assert refused(other) == "chain_mismatch"
    other.write_text("{}")
    assert refused(other) == "deployment_malformed"
    assert refused(deployed, "http://127.0.0.1:9/") == "rpc_failed"
    poor = Account.encrypt(b"\x07" * 32, PASSPHRASE, iterations=2)
    (operator.home / "keystore.json").write_text(json.dumps(poor))
    assert refused(deployed) == "stake_insufficient"
    (operator.home / "passphrase").write_text("wrong")
    result = operator("prove", "--node-id", "0x" + "ab" * 32, *operator.wallet)
    assert result.exit_code == Exit.KEYS
    assert "wallet_unavailable" in result.output


def test_a_wallet_without_keystore_signs_the_typed_data(operator: Operator) -> None:
    """The way of a browser or hardware wallet: calldata out, typed data out, signature in."""
    operator("keygen")
    printed = operator(
        "register",
        *("--operator", operator.account.checksum),
        *("--class", "h100_80g", "--gpus", "2", "--region", "eu-north"),
    )
    assert printed.exit_code == 0, printed.output
    keys = Home(operator.home).keys_load()
    public = keys.public
    node_id = operator.world.register_node(public, ml_dsa_65=keys.pq_public)
    operator.world.settle()
    asked = operator("prove", "--node-id", f"0x{node_id.hex()}")
    assert asked.exit_code == 0, asked.output
    typed, _, rest = asked.output.partition("\nSign this typed data")
    signed = Account.sign_typed_data(
        operator.account.private_key, full_message=json.loads(typed)
    ).signature
    nonce = rest.split("--nonce ")[1].split()[0]
    done = operator("prove", "--nonce", nonce, "--signature", f"0x{bytes(signed).hex()}")
    assert done.exit_code == 0, done.output
    assert NodeKey.objects.filter(key_id=public.hex()).exists()


def test_a_bad_gpu_is_contraindicated_in_plain_words(registered: Operator) -> None:
    outcome = registered.node(bad_signature=True).attest()
    assert not outcome.accepted
    lines = "\n".join(cli.describe(outcome))
    assert "contraindicated, tier T1 of T4 required" in lines
    assert "GPU 1: The report is not signed by the leaf certificate's key. (sig.report)" in lines
    assert Verdict.objects.get().status == "contraindicated"


def test_changed_firmware_is_a_warning_until_the_vote_enforces_it(registered: Operator) -> None:
    changed = registered.node(changed_measurements=frozenset({3}))
    assert changed.attest().verdict["status"] == "warning"
    registered.world.parameters_set(attest__enforce_measurements=1)
    registered.world.pass_time(7200)
    registered.world.settle()
    ahead = registered.world.rpc("eth_getBlockByNumber", "latest", False)["timestamp"]
    assert int(ahead, 16) > 0
    assert changed.attest().verdict["status"] == "contraindicated"


def test_an_answer_that_was_lost_is_not_judged_twice(
    registered: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = registered.node()
    post = node.client.post_signed
    dropped: list[str] = []

    def lossy(path: str, body: bytes, **options: Any) -> dict[str, Any]:
        answer = post(path, body, **options)
        if path.endswith("attestations/") and not dropped:
            dropped.append(path)
            raise ServiceUnreachable("service_unreachable", "the answer was lost")
        return answer

    monkeypatch.setattr(node.client, "post_signed", lossy)
    outcome = replace(node, sleep=lambda _: None).attest()
    assert outcome.accepted
    assert dropped
    assert Attestation.objects.count() == 1


def test_the_clock_is_compared_with_the_services(registered: Operator) -> None:
    node = registered.node()
    late = registered.client(now_s=lambda: clock.now_s() - 3600)
    with pytest.raises(ServiceRefused) as caught:
        replace(node, client=late).attest()
    assert caught.value.code == "clock_skew"
    assert caught.value.exit_code == Exit.CLOCK
    offset = late.clock_offset_s()
    assert offset is not None
    assert abs(offset - 3600) < 3


def test_doctor_meets_the_service(registered: Operator) -> None:
    result = registered("doctor", "--json")
    found = {check["name"]: check for check in json.loads(result.output)}
    assert found["service"]["mark"] == "ok"
    assert "EMULATED" in found["service"]["text"]
    assert found["clock"]["mark"] == "ok"
    assert "is registered" in found["registration"]["text"]


def test_emulated_is_refused_where_the_service_trusts_nvidia_only(
    registered: Operator, settings: Any
) -> None:
    settings.EMULATOR_ROOT_DIR = None
    result = registered("attest", *registered.emulated)
    assert result.exit_code == Exit.CANNOT_ATTEST
    assert "emulator_untrusted" in result.output
    assert not Attestation.objects.exists()


def test_run_reports_until_its_rounds_are_done(registered: Operator) -> None:
    result = registered("run", "--rounds", "1", *registered.emulated)
    assert result.exit_code == 0, result.output
    assert "Report 1: affirming" in result.output
