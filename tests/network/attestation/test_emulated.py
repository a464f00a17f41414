"""The verifier on emulated GPUs: every kind of fault, the policy's switches, the node's rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from network.attestation import (
    Caches,
    DeviceEvidence,
    MappingRimStore,
    NodeEvidence,
    Policy,
    Severity,
    Status,
    Tier,
    TrustAnchors,
    verify_evidence,
)
from network.attestation import (
    device as device_module,
)
from network.attestation.emulator import (
    BLACKWELL,
    HOPPER,
    HOPPER_H200,
    EmulatorAuthority,
    EmulatorInstallationError,
    Firmware,
    emulator_prepare,
    emulator_rims,
    emulator_trust,
    firmware_manifests,
)

from .samples import (
    AUTHORITY,
    EMULATED_RIMS,
    EMULATOR_TRUST,
    FIRMWARE,
    NONCE,
    NOW,
    STRANGER,
    STRICT,
    Judge,
    codes,
    gpu,
)

LENIENT = replace(
    STRICT,
    enforce_nonce=False,
    enforce_signature=False,
    enforce_chain=False,
    enforce_rim=False,
    enforce_measurements=False,
    enforce_duplicate=False,
    required_tiers={"h100_80g": Tier.T0},
)
#: The one class that the tests' policies built from parameters know, with no demand.
KNOWN_CLASS = {"attest.required_tier_h100_80g": 0}


@pytest.mark.parametrize(
    ("gpu_class", "firmware"),
    [("h100_80g", HOPPER), ("h200_141g", HOPPER_H200), ("b200_192g", BLACKWELL)],
)
def test_an_honest_gpu_is_affirmed_and_marked_emulated(gpu_class: str, firmware: Firmware) -> None:
    card = gpu(firmware=firmware)
    appraisal = Judge(gpu_class=gpu_class)(card.evidence(NONCE))
    device = appraisal.devices[0]
    assert (appraisal.status, appraisal.tier) == (Status.AFFIRMING, Tier.T4)
    assert appraisal.emulated
    assert device.emulated
    assert (device.measurements_compared, device.measurements_matched) == (32, 32)
    assert device.san == f"NVIDIA:{firmware.chip}:{card.chip_id}"
    assert device.fwid == card.firmware_id.hex()
    assert codes(appraisal) == set()


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"changed_measurements": frozenset({3, 22})}, {"meas.mismatch"}),
        ({"debug": True}, {"dice.debug"}),
        ({"wrong_firmware_id": True}, {"fwid.mismatch"}),
        ({"bad_signature": True}, {"sig.report"}),
        ({"stale_nonce": True}, {"nonce.mismatch"}),
        (
            {"changed_measurements": frozenset({0}), "bad_signature": True, "stale_nonce": True},
            {"meas.mismatch", "sig.report", "nonce.mismatch"},
        ),
    ],
)
def test_every_failed_check_is_reported(behaviour: dict[str, object], expected: set[str]) -> None:
    appraisal = Judge()(gpu(**behaviour).evidence(NONCE))
    assert codes(appraisal) == expected
    assert appraisal.status is Status.CONTRAINDICATED


def test_a_mismatch_names_index_source_and_both_values() -> None:
    appraisal = Judge()(gpu(changed_measurements=frozenset({22})).evidence(NONCE))
    (finding,) = (f for f in appraisal.devices[0].findings if f.code == "meas.mismatch")
    golden = FIRMWARE.golden(22)
    assert golden is not None
    assert finding.data["index"] == 22
    assert finding.data["source"] == "driver"
    assert finding.data["golden"] == [golden.hex()]
    assert finding.data["runtime"] != golden.hex()


@pytest.mark.parametrize("bad_first", [False, True])
@pytest.mark.parametrize(
    "behaviour", [{"bad_signature": True}, {"stale_nonce": True}, {"debug": True}]
)
def test_one_bad_gpu_fails_the_node_in_any_order(
    bad_first: bool, behaviour: dict[str, object]
) -> None:
    good, bad = gpu("good").evidence(NONCE), gpu("bad", **behaviour).evidence(NONCE)
    appraisal = Judge()(*((bad, good) if bad_first else (good, bad)))
    assert appraisal.status is Status.CONTRAINDICATED
    by_index = [device.status for device in appraisal.devices]
    assert by_index[0 if bad_first else 1] is Status.CONTRAINDICATED
    assert by_index[1 if bad_first else 0] is Status.AFFIRMING
    assert appraisal.tier is Tier.T1


def test_one_gpu_is_not_two_even_with_two_firmwares() -> None:
    """The leaf changes with the firmware; the identity, certificate 1's key, does not."""
    first = gpu("same").evidence(NONCE)
    second = gpu("same", firmware=Firmware(vbios_version="96.00.A5.00.03")).evidence(NONCE)
    assert first.certificate_chain != second.certificate_chain
    appraisal = Judge(policy=replace(STRICT, enforce_rim=False))(first, second)
    assert "device.duplicate" in codes(appraisal, 0) & codes(appraisal, 1)
    assert appraisal.status is Status.CONTRAINDICATED


def test_an_emulator_that_is_not_trusted_proves_nothing_and_is_still_marked() -> None:
    for trust in (TrustAnchors.nvidia(), STRANGER.trust(TrustAnchors.nvidia())):
        appraisal = Judge(trust=trust)(gpu().evidence(NONCE))
        assert appraisal.status is Status.CONTRAINDICATED
        assert appraisal.tier is Tier.T1
        assert appraisal.emulated
        assert "chain.root_unpinned" in codes(appraisal)


def test_manifests_of_another_emulator_do_not_count() -> None:
    strange = MappingRimStore(firmware_manifests(STRANGER, [FIRMWARE]))
    appraisal = Judge(rims=strange)(gpu().evidence(NONCE))
    assert codes(appraisal) == {"rim.chain"}
    assert appraisal.devices[0].measurements_compared == 0


def test_a_manifest_of_another_version_does_not_count() -> None:
    manifests = firmware_manifests(AUTHORITY, [FIRMWARE])
    other = firmware_manifests(AUTHORITY, [Firmware(driver_version="550.54.15")])
    (driver_id,) = (rim_id for rim_id in manifests if "DRIVER" in rim_id)
    manifests[driver_id] = next(xml for rim_id, xml in other.items() if "DRIVER" in rim_id)
    appraisal = Judge(rims=MappingRimStore(manifests))(gpu().evidence(NONCE))
    assert codes(appraisal) == {"rim.version"}


def test_an_expired_manifest_is_judged_by_its_parameter() -> None:
    expired = EmulatorAuthority(
        AUTHORITY.seed, rim_signer_valid_until=NOW.replace(year=2026, month=1)
    )
    rims = MappingRimStore(firmware_manifests(expired, [FIRMWARE]))
    for value, status in enumerate((Status.AFFIRMING, Status.WARNING, Status.CONTRAINDICATED)):
        policy = Policy.from_parameters(KNOWN_CLASS | {"attest.rim_expired": value}, version=1)
        assert Judge(policy=policy, rims=rims)(gpu().evidence(NONCE)).status is status


class TestSwitches:
    """``attest.enforce_*``: observe or enforce."""

    @pytest.mark.parametrize(
        ("switch", "behaviour", "code"),
        [
            ("nonce", {"stale_nonce": True}, "nonce.mismatch"),
            ("signature", {"bad_signature": True}, "sig.report"),
            ("chain", {"debug": True}, "dice.debug"),
            ("measurements", {"changed_measurements": frozenset({1})}, "meas.mismatch"),
        ],
    )
    def test_observing_marks_and_enforcing_refuses(
        self, switch: str, behaviour: dict[str, object], code: str
    ) -> None:
        device = gpu(**behaviour).evidence(NONCE)
        for enforced, status in ((0, Status.WARNING), (1, Status.CONTRAINDICATED)):
            values = KNOWN_CLASS | {f"attest.enforce_{switch}": enforced}
            policy = Policy.from_parameters(values, version=3)
            appraisal = Judge(policy=policy)(device)
            assert codes(appraisal) == {code}
            assert appraisal.status is status
            assert appraisal.accepted is not bool(enforced)

    def test_what_is_only_observed_still_buys_no_tier(self) -> None:
        forged = gpu(bad_signature=True).evidence(NONCE)
        appraisal = Judge(policy=LENIENT)(forged)
        assert appraisal.status is Status.WARNING
        assert appraisal.tier is Tier.T1
        required = replace(LENIENT, required_tiers={"h100_80g": Tier.T4})
        assert Judge(policy=required)(forged).status is Status.CONTRAINDICATED

    def test_a_changed_firmware_keeps_the_tier_but_not_the_verdict(self) -> None:
        changed = gpu(changed_measurements=frozenset({5})).evidence(NONCE)
        observed = Judge(policy=replace(STRICT, enforce_measurements=False))(changed)
        assert (observed.status, observed.tier) == (Status.WARNING, Tier.T4)
        assert Judge()(changed).status is Status.CONTRAINDICATED

    def test_enforcing_revocation_refuses_while_nobody_looks_it_up(self) -> None:
        device = gpu().evidence(NONCE)
        finding = next(
            f for f in Judge()(device).devices[0].findings if f.code == "revocation.unknown"
        )
        assert finding.severity is Severity.INFO
        enforced = Judge(policy=replace(STRICT, enforce_revocation=True))(device)
        assert codes(enforced) == {"revocation.unknown"}
        assert enforced.status is Status.CONTRAINDICATED

    def test_the_required_tier_is_the_classes(self) -> None:
        values = {"attest.required_tier_h100_80g": 4, "attest.required_tier_edge_iot": 1}
        policy = Policy.from_parameters(values, version=9)
        assert Judge(policy=policy)(gpu_count=8).findings[0].code == "tier.required"
        edge = Judge(policy=policy, gpu_class="edge_iot")(gpu_count=1)
        assert (edge.status, edge.tier, edge.policy_version) == (Status.AFFIRMING, Tier.T1, 9)
        unsigned = Judge(policy=policy, gpu_class="edge_iot", inventory_signed=False)(gpu_count=1)
        assert (unsigned.status, unsigned.tier) == (Status.CONTRAINDICATED, Tier.T0)

    def test_a_class_that_no_parameter_names_is_refused(self) -> None:
        """A price for a class without a tier for it must not accept everything."""
        values = {"attest.required_tier_h100_80g": 4, "stake.per_gpu_new": 10**18}
        policy = Policy.from_parameters(values, version=9)
        appraisal = Judge(policy=policy, gpu_class="new")(gpu().evidence(NONCE))
        assert codes(appraisal, None) == {"policy.class_unknown"}
        assert codes(appraisal) == set()
        assert appraisal.status is Status.CONTRAINDICATED
        (finding,) = appraisal.findings
        assert finding.severity is Severity.ERROR
        assert finding.data == {"gpu_class": "new", "parameter": "attest.required_tier_new"}
        # Defined as T0 is a choice of the voters, and another thing than not defined.
        policy = Policy.from_parameters({"attest.required_tier_new": 0}, version=10)
        assert Judge(policy=policy, gpu_class="new")(gpu().evidence(NONCE)).accepted

    def test_a_chain_without_the_parameters_is_judged_by_the_safe_defaults(self) -> None:
        assert Policy.from_parameters({}, version=1) == Policy(version=1)
        stored = Policy(version=1).as_json()["enforce"]
        assert {name for name, on in stored.items() if on} == {
            "nonce",
            "signature",
            "chain",
            "duplicate",
        }

    def test_the_policy_is_stored_as_json(self) -> None:
        policy = Policy.from_parameters({"attest.ttl": 600, "attest.enforce_rim": 1}, version=2)
        stored = policy.as_json()
        assert (stored["version"], stored["ttl_s"]) == (2, 600)
        assert stored["enforce"]["rim"] is True
        assert stored["enforce"]["measurements"] is False

    @pytest.mark.parametrize(
        "values", [{"attest.rim_expired": 3}, {"attest.required_tier_h100_80g": 6}]
    )
    def test_values_that_no_parameter_can_have_are_refused(self, values: dict[str, int]) -> None:
        with pytest.raises(ValueError, match="is not a valid"):
            Policy.from_parameters(values, version=1)


class TestNode:
    def test_missing_gpus_cost_the_tier(self) -> None:
        appraisal = Judge()(gpu("a").evidence(NONCE), gpu("b").evidence(NONCE), gpu_count=8)
        assert codes(appraisal, None) == {"node.devices_missing", "tier.required"}
        assert appraisal.status is Status.CONTRAINDICATED

    def test_more_gpus_than_registered_are_told(self) -> None:
        appraisal = Judge()(gpu("a").evidence(NONCE), gpu("b").evidence(NONCE), gpu_count=1)
        assert codes(appraisal, None) == {"node.devices_unregistered"}
        assert (appraisal.status, appraisal.tier) == (Status.WARNING, Tier.T4)

    def test_the_work_is_bounded_by_the_parameter(self) -> None:
        judge = Judge(policy=replace(STRICT, max_gpus_per_node=2))
        appraisal = judge(*(gpu(f"card {n}").evidence(NONCE) for n in range(4)))
        assert len(appraisal.devices) == 2
        assert "node.too_many_devices" in codes(appraisal, None)
        assert appraisal.status is Status.CONTRAINDICATED

    def test_a_claimed_architecture_must_be_the_certified_one(self) -> None:
        device = replace(gpu().evidence(NONCE), claimed_architecture="BLACKWELL")
        assert codes(Judge()(device)) == {"device.type_mismatch"}

    def test_chain_and_report_must_belong_together(self) -> None:
        """Another GPU's report under this GPU's certificates."""
        swapped = DeviceEvidence(gpu("a").report(NONCE), gpu("b").certificate_chain)
        assert "sig.report" in codes(Judge()(swapped))

    def test_a_fault_of_ours_on_one_device_neither_hides_nor_accepts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = device_module.parse_report
        broken = gpu("broken").evidence(NONCE)

        def explode(data: bytes, **options: bool) -> object:
            if data == broken.report:
                raise RuntimeError("a bug")
            return original(data, **options)

        monkeypatch.setattr(device_module, "parse_report", explode)
        appraisal = Judge()(gpu("a").evidence(NONCE), broken, gpu("c").evidence(NONCE))
        assert [device.status for device in appraisal.devices] == [
            Status.AFFIRMING,
            Status.NONE,
            Status.AFFIRMING,
        ]
        assert appraisal.status is Status.NONE
        assert not appraisal.accepted
        assert codes(appraisal, 1) == {"verifier.fault"}

    def test_a_naive_time_is_the_callers_mistake(self) -> None:
        with pytest.raises(ValueError, match="timezone"):
            Judge(now=NOW.replace(tzinfo=None))(gpu().evidence(NONCE))


class TestCaches:
    def test_a_second_appraisal_reuses_chain_and_manifests_but_judges_anew(self) -> None:
        caches = Caches()
        card = gpu()
        for nonce, accepted in ((NONCE, True), (b"\1" * 32, False)):
            evidence = NodeEvidence(NONCE, (card.evidence(nonce),), True, "h100_80g", 1)
            appraisal = verify_evidence(
                evidence,
                policy=STRICT,
                now=NOW,
                trust=EMULATOR_TRUST,
                rims=EMULATED_RIMS,
                caches=caches,
            )
            assert appraisal.accepted is accepted
        assert (len(caches.chains), len(caches.rims)) == (1, 2)

    def test_a_cached_chain_is_judged_by_the_roots_and_time_of_the_moment(self) -> None:
        caches = Caches()
        evidence = NodeEvidence(NONCE, (gpu().evidence(NONCE),), True, "h100_80g", 1)

        def status(trust: TrustAnchors, year: int) -> Status:
            return verify_evidence(
                evidence,
                policy=STRICT,
                now=NOW.replace(year=year),
                trust=trust,
                rims=EMULATED_RIMS,
                caches=caches,
            ).status

        assert status(EMULATOR_TRUST, 2026) is Status.AFFIRMING
        assert status(TrustAnchors.nvidia(), 2026) is Status.CONTRAINDICATED
        assert status(EMULATOR_TRUST, 2019) is Status.CONTRAINDICATED
        assert status(EMULATOR_TRUST, 2026) is Status.AFFIRMING

    def test_the_cache_forgets_what_was_used_longest_ago(self) -> None:
        caches = Caches()
        cache = type(caches.chains)(2)
        computed = []

        def compute(name: str) -> object:
            return cache.get_or_compute(name.encode(), lambda: computed.append(name) or name)

        for name in ("a", "b", "a", "c", "a", "b"):
            assert compute(name) == name
        assert computed == ["a", "b", "c", "b"]
        with pytest.raises(ValueError, match="at least 1"):
            type(cache)(0)


class TestInstallation:
    def test_services_need_only_the_public_part(self, tmp_path: Path) -> None:
        authority = emulator_prepare(tmp_path)
        (tmp_path / "emulator.seed").rename(tmp_path / "elsewhere")
        judge = Judge(
            trust=emulator_trust(TrustAnchors.nvidia(), tmp_path), rims=emulator_rims(tmp_path)
        )
        assert judge(gpu(authority=authority).evidence(NONCE)).status is Status.AFFIRMING

    def test_the_seed_is_made_once_and_is_private(self, tmp_path: Path) -> None:
        first, second = emulator_prepare(tmp_path), emulator_prepare(tmp_path)
        assert first.seed == second.seed
        assert (tmp_path / "emulator.seed").stat().st_mode & 0o777 == 0o600
        assert first.seed.hex() not in repr(first)
        assert emulator_prepare(tmp_path / "other").seed != first.seed

    @pytest.mark.parametrize(
        "text", [None, "", "[]", "{}", '{"device_spki_sha256": "00", "rim_spki_sha256": "zz"}']
    )
    def test_unreadable_roots_are_a_coded_error(self, tmp_path: Path, text: str | None) -> None:
        if text is not None:
            (tmp_path / "roots.json").write_text(text)
        with pytest.raises(EmulatorInstallationError) as caught:
            emulator_trust(TrustAnchors.nvidia(), tmp_path)
        assert caught.value.code == "emulator.roots"

    def test_ids_never_leave_the_directory(self, tmp_path: Path) -> None:
        store = emulator_rims(tmp_path)
        (tmp_path / "secret.swidtag").write_text("x")
        (tmp_path / "rims" / "sub").mkdir(parents=True)
        for name in ("sub/inner", ".hidden", "known"):
            (tmp_path / "rims" / f"{name}.swidtag").write_text("x")
        assert store.get("known") == b"x"
        assert store.get("../secret") is None
        assert store.get("sub/inner") is None
        assert store.get(".hidden") is None
        assert store.get("unknown") is None

    def test_the_same_seed_gives_the_same_evidence(self) -> None:
        again = EmulatorAuthority.from_seed("althing tests")
        assert gpu(authority=again).evidence(NONCE) == gpu().evidence(NONCE)
        with pytest.raises(ValueError, match="32 bytes"):
            EmulatorAuthority(b"short")
        with pytest.raises(ValueError, match="GH100"):
            Firmware(chip="TU102")
        with pytest.raises(ValueError, match="32 bytes"):
            gpu().report(b"short")
