"""The command line: keys, doctor and what goes wrong before a service is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pynvml
import pytest
from click.testing import CliRunner, Result

from chain.decoding import ContractCodec
from network.agent import cli, cli_context
from network.agent.client import ServiceClient
from network.agent.doctor import Mark, examine, exit_code
from network.agent.errors import Exit, KeysError
from network.agent.home import Config, Home, State
from network.agent.nvml import NvmlSource
from network.agent.registration import codec
from network.http_signatures import pq_key_id
from network.registration import keys_hash
from tests.network.agent.conftest import ScriptedService
from tests.network.agent.fake_nvml import FakeNvml
from tests.network.attestation.samples import gpu

OPERATOR = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def althing_node(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["--home", str(home), *arguments])


def cards(**options: object) -> NvmlSource:
    fake = FakeNvml([gpu("left")], **options)  # type: ignore[arg-type]
    return NvmlSource(lambda: fake)  # type: ignore[arg-type, return-value]


class TestKeys:
    def test_a_key_is_made_once_and_is_private(self, tmp_path: Path) -> None:
        first = althing_node(tmp_path / "home", "keygen")
        assert first.exit_code == 0
        path = tmp_path / "home" / "node.key"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        pem = path.read_bytes()
        again = althing_node(tmp_path / "home", "keygen")
        assert again.exit_code == Exit.KEYS
        assert "key_exists" in again.output
        assert path.read_bytes() == pem
        public = Home(tmp_path / "home").key_load().public_key().public_bytes_raw()
        assert public.hex() in first.output

    def test_both_keys_are_made_and_neither_is_replaced(self, tmp_path: Path) -> None:
        made = althing_node(tmp_path, "keygen")
        path = tmp_path / "node-mldsa.key"
        assert path.stat().st_mode & 0o777 == 0o600
        pem = path.read_bytes()
        # RFC 9881: the seed alone, 54 bytes of DER, and not the 4,032 of the expanded key.
        assert len(pem) < 150
        keys = Home(tmp_path).keys_load()
        assert keys.ml_dsa_65 is not None
        assert pq_key_id(keys.pq_public) in made.output
        (tmp_path / "node.key").rename(tmp_path / "old.key")
        rotated = althing_node(tmp_path, "keygen")
        assert rotated.exit_code == 0, rotated.output
        assert path.read_bytes() == pem
        again = althing_node(tmp_path, "keygen", "--add-ml-dsa")
        assert (again.exit_code, "key_exists" in again.output) == (Exit.KEYS, True)

    def test_a_node_may_go_without_the_second_key_and_add_it_later(self, tmp_path: Path) -> None:
        missing = althing_node(tmp_path, "keygen", "--add-ml-dsa")
        assert (missing.exit_code, "key_missing" in missing.output) == (Exit.KEYS, True)
        assert althing_node(tmp_path, "keygen", "--no-ml-dsa").exit_code == 0
        home = Home(tmp_path)
        assert home.keys_load().ml_dsa_65 is None
        before = home.keys_load().hash(bytes.fromhex(OPERATOR[2:]))
        home.config_save(Config(operator=OPERATOR))
        added = althing_node(tmp_path, "keygen", "--add-ml-dsa")
        assert added.exit_code == 0, added.output
        after = home.keys_load().hash(bytes.fromhex(OPERATOR[2:]))
        assert f"Keys hash for rotateKeys 0x{after.hex()}" in added.output
        assert after != before
        both = althing_node(tmp_path, "keygen", "--add-ml-dsa", "--no-ml-dsa")
        assert both.exit_code == 2

    @pytest.mark.parametrize(
        ("spoil", "expected"),
        [
            (lambda path: path.chmod(0o640), "key_exposed"),
            (lambda path: path.write_text("nonsense"), "key_malformed"),
            (
                lambda path: path.write_bytes((path.parent / "node.key").read_bytes()),
                "key_malformed",
            ),
        ],
        ids=["exposed", "nonsense", "another kind"],
    )
    def test_a_second_key_that_cannot_be_used_is_named(
        self, tmp_path: Path, spoil: Callable[[Path], object], expected: str
    ) -> None:
        home = Home(tmp_path)
        home.key_create()
        home.pq_key_create()
        spoil(tmp_path / "node-mldsa.key")
        with pytest.raises(KeysError) as caught:
            home.keys_load()
        assert caught.value.code == expected

    def test_keys_that_cannot_be_used_are_named(self, tmp_path: Path) -> None:
        home = Home(tmp_path)

        def code() -> str:
            with pytest.raises(KeysError) as caught:
                home.key_load()
            return caught.value.code

        assert code() == "key_missing"
        home.key_create()
        (tmp_path / "node.key").chmod(0o640)
        assert code() == "key_exposed"
        (tmp_path / "node.key").chmod(0o600)
        (tmp_path / "node.key").write_text("nonsense")
        assert code() == "key_malformed"

    def test_a_directory_that_others_can_write_to_is_refused(self, tmp_path: Path) -> None:
        home = Home(tmp_path)
        tmp_path.chmod(0o770)
        with pytest.raises(KeysError) as caught:
            home.state_save(State())
        assert (caught.value.code, caught.value.exit_code) == ("home_exposed", Exit.KEYS)
        tmp_path.chmod(0o755)
        home.state_save(State())

    def test_state_survives_and_a_damaged_file_is_named(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "deep" / "home")
        assert home.state_load() == State()
        state = State(last_seq=4, last_hash="0xaa", pending_seq=5, pending_hash="0xbb")
        home.state_save(state)
        assert home.state_load() == state
        assert [path.name for path in home.directory.iterdir()] == ["state.json"]
        for text in ("", "[]", "{"):
            home.path("state.json").write_text(text)
            with pytest.raises(KeysError, match="cannot be read"):
                home.state_load()

    def test_fields_of_a_newer_version_are_ignored(self, tmp_path: Path) -> None:
        home = Home(tmp_path)
        home.path("config.json").write_text('{"server": "https://x", "added_later": 1}')
        assert home.config_load() == Config(server="https://x")


class TestDoctor:
    def test_without_a_driver_it_says_so_and_exits_with_3(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:

        missing = cards(init_error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
        monkeypatch.setattr(cli, "nvml_source", lambda: missing)
        result = althing_node(tmp_path, "doctor")
        assert result.exit_code == Exit.NO_GPU
        assert "[fail] gpu: There is no NVIDIA driver on this machine" in result.output
        found = json.loads(althing_node(tmp_path, "doctor", "--json").output)
        assert found[0] == {
            "name": "gpu",
            "mark": "fail",
            "code": "nvml_library_missing",
            "text": "There is no NVIDIA driver on this machine (libnvidia-ml.so was not found).",
        }

    def service(self, scripted: ScriptedService, *, date: str, skew: str = "30") -> ServiceClient:
        scripted.handlers["/network/trust/"] = lambda _: httpx.Response(
            200, json={"emulator_trusted": True, "policy": {"version": 4}}
        )
        scripted.handlers["/network/policy/"] = lambda _: httpx.Response(
            200, json={"values": {"attest.clock_skew": skew}}, headers={"Date": date}
        )
        return ServiceClient(
            "https://x.example", transport=scripted.transport(), now_s=lambda: 1_800_000_000.0
        )

    def test_everything_in_order(self, tmp_path: Path, scripted: ScriptedService) -> None:
        home = Home(tmp_path)
        home.key_create()
        home.pq_key_create()
        client = self.service(scripted, date="Fri, 15 Jan 2027 08:00:00 GMT")
        found = examine(source=cards(), home=home, client=client)
        assert exit_code(found) is Exit.OK
        assert [check.mark for check in found if check.name != "registration"] == [Mark.OK] * 6
        assert "It trusts EMULATED GPUs." in found[4].text

    @pytest.mark.parametrize(
        ("options", "code"),
        [({"uncorrected": 3}, "ecc_uncorrected"), ({"remap_failed": 1}, "row_remap_failed")],
    )
    def test_a_card_with_faulty_memory_is_named(
        self, tmp_path: Path, options: dict[str, object], code: str
    ) -> None:
        found = examine(source=cards(**options), home=Home(tmp_path), client=None)
        named = [check for check in found if check.name == "memory"]
        assert [check.code for check in named] == [code]
        assert cards().inventory()["gpus"][0]["uuid"] in named[0].text

    def test_a_lost_gpu_is_a_failure_of_its_own(self, tmp_path: Path) -> None:
        found = examine(source=cards(lost=frozenset({0})), home=Home(tmp_path), client=None)
        assert ("gpu 0", "nvml_error", Mark.FAIL) in [(c.name, c.code, c.mark) for c in found]
        assert exit_code(found) is Exit.NO_GPU

    def test_a_wrong_clock_is_measured(self, tmp_path: Path, scripted: ScriptedService) -> None:
        home = Home(tmp_path)
        home.key_create()
        client = self.service(scripted, date="Fri, 15 Jan 2027 08:05:00 GMT")
        found = examine(source=cards(), home=home, client=client)
        (clock,) = [check for check in found if check.name == "clock"]
        assert (clock.mark, clock.code) == (Mark.FAIL, "clock_skew")
        assert "300 s behind" in clock.text
        assert exit_code(found) is Exit.CLOCK

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"cc_feature": 0}, "cc_off"),
            ({"unsupported": ("cc",)}, "cc_unsupported"),
            ({"devtools": 1}, "cc_devtools"),
            ({"ready": 0}, "cc_not_ready"),
        ],
    )
    def test_modes_worth_knowing_are_notes(
        self, tmp_path: Path, options: dict[str, object], code: str
    ) -> None:
        found = examine(source=cards(**options), home=Home(tmp_path), client=None)
        assert code in {check.code for check in found if check.mark is Mark.NOTE}

    def test_a_service_that_is_away_hides_no_other_check(
        self, tmp_path: Path, scripted: ScriptedService
    ) -> None:
        home = Home(tmp_path)
        home.config_save(Config(node_id="0x" + "ab" * 32))
        client = ServiceClient("https://x.example", transport=scripted.transport())
        found = examine(source=cards(), home=home, client=client)
        failed = {check.name: check.code for check in found if check.mark is Mark.FAIL}
        assert failed == {
            "node key": "key_missing",
            "service": "not_found",
            "clock": "not_found",
            "registration": "not_found",
        }


class TestRegisterByHand:
    ARGUMENTS = ("--class", "h100_80g", "--gpus", "8", "--region", "eu-north")

    def test_the_calldata_is_the_registrys(self, tmp_path: Path) -> None:
        althing_node(tmp_path, "keygen")
        result = althing_node(tmp_path, "register", "--operator", OPERATOR, *self.ARGUMENTS)
        assert result.exit_code == 0, result.output
        registry: ContractCodec = codec("NodeRegistry")
        calldata = bytes.fromhex(result.output.splitlines()[-1][2:])
        function, arguments = registry.decode_input(calldata)
        keys = Home(tmp_path).keys_load()
        expected = keys_hash(
            operator=bytes.fromhex(OPERATOR[2:]),
            ed25519=keys.public,
            ml_dsa_65=keys.pq_public,
        )
        assert len(keys.pq_public) == 1952
        assert function == "register"
        assert arguments["keysHash"] == expected
        assert arguments["class"] == b"h100_80g".ljust(32, b"\0")
        assert arguments["gpuCount"] == 8
        assert Home(tmp_path).config_load().operator == OPERATOR

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ((*ARGUMENTS,), "operator_missing"),
            (("--operator", OPERATOR[:-1] + "9", *ARGUMENTS), "address_checksum"),
            (("--operator", "0x12", *ARGUMENTS), "address_"),
            (("--operator", OPERATOR, *ARGUMENTS[:-1], "ü"), "name_invalid"),
            (("--operator", OPERATOR, *ARGUMENTS[:-1], "x" * 33), "name_invalid"),
        ],
    )
    def test_wrong_arguments_are_named(
        self, tmp_path: Path, arguments: tuple[str, ...], code: str
    ) -> None:
        althing_node(tmp_path, "keygen")
        result = althing_node(tmp_path, "register", *arguments)
        assert result.exit_code in (Exit.KEYS, Exit.CHAIN)
        assert code in result.output

    def test_gpu_counts_and_files_are_checked_by_the_command_line(self, tmp_path: Path) -> None:
        assert althing_node(tmp_path, "register", "--gpus", "0").exit_code == 2
        missing = althing_node(tmp_path, "register", "--keystore", str(tmp_path / "none"))
        assert missing.exit_code == 2


class TestBeforeTheService:
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("attest",), "node_id_missing"),
            (("attest", "--node-id", "0x12"), "hex_malformed"),
            (("attest", "--node-id", "0x" + "ab" * 32), "server_missing"),
            (("attest", "--node-id", "0x" + "ab" * 32, "--emulated"), "emulator_dir_missing"),
            (("prove", "--operator", OPERATOR), "node_id_missing"),
        ],
    )
    def test_what_is_missing_is_named(
        self, tmp_path: Path, arguments: tuple[str, ...], code: str
    ) -> None:
        result = althing_node(tmp_path, *arguments)
        assert result.exit_code == Exit.KEYS, result.output
        assert code in result.output

    def test_a_server_that_is_no_address(self, tmp_path: Path) -> None:
        result = althing_node(
            tmp_path, "--server", "nonsense", "attest", "--node-id", "0x" + "ab" * 32
        )
        assert "server_invalid" in result.output
        assert cli_context.bytes_read("0xff", 1, "x") == b"\xff"
