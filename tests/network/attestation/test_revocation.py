"""The revocation of whole chains: which statement counts, how old it is, what is found."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from network.attestation import (
    DeviceAppraisal,
    NodeEvidence,
    Status,
    Tier,
    TrustAnchors,
    verify_evidence,
)
from network.attestation.chain_revocation import (
    ChainRevocation,
    RevocationMaterial,
    StoredDocument,
    chain_revocation,
    weigh,
)
from network.attestation.crl import MAX_CRL_BYTES
from network.attestation.emulator.revocation import EmulatedResponder, RevokedEntry, crl_issue
from network.attestation.errors import Finding, Severity
from network.attestation.ocsp import MAX_OCSP_BYTES, ocsp_request
from network.attestation.revocation import (
    NOT_CHECKED,
    Revocation,
    RevocationLimits,
    RevocationState,
)

from .revocations import (
    CHAIN,
    DAY,
    DEVICE,
    HOUR,
    ISSUERS,
    Answer,
    mutations,
    one_bit_flips,
    revoked,
)
from .samples import AUTHORITY, EMULATED_RIMS, EMULATOR_TRUST, NOW, STRANGER, STRICT, gpu
from .samples import NONCE as CHALLENGE

ENCODING = Encoding.DER
HOLD = x509.ReasonFlags.certificate_hold
GOOD, REVOKED = RevocationState.GOOD, RevocationState.REVOKED
UNCHECKED = RevocationState.NOT_CHECKED
RECEIVED = NOW - timedelta(minutes=1)


def stored(*documents: bytes, received_at: datetime = RECEIVED) -> list[StoredDocument]:
    return [StoredDocument(document, received_at) for document in documents]


def responses(
    revoked_at: Sequence[int] = (),
    *,
    now: datetime = NOW - HOUR,
    positions: Sequence[int] = (1, 2, 3),
) -> list[bytes]:
    """The emulated responder's answers about these positions of the chain."""
    table = {CHAIN[position].serial_number: RevokedEntry(now - DAY) for position in revoked_at}
    responder = EmulatedResponder(AUTHORITY, table)
    return [
        responder.answer(ocsp_request(CHAIN[position], CHAIN[position + 1]), now=now)
        for position in positions
    ]


def lists(
    *serials: int, reason: x509.ReasonFlags | None = None, now: datetime = NOW
) -> list[bytes]:
    """One list by every authority above the device, each naming these serial numbers."""
    entries = {serial: RevokedEntry(now - DAY, reason) for serial in serials}
    return [
        crl_issue(issuer, number=1, this_update=now - HOUR, revoked=entries) for issuer in ISSUERS
    ]


def judge(
    ocsp: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    *,
    chain: Sequence[x509.Certificate] = CHAIN,
    now: datetime = NOW,
    received_at: datetime = RECEIVED,
    **limits: Any,
) -> ChainRevocation:
    material = RevocationMaterial.load(
        ocsp=stored(*ocsp, received_at=received_at), crls=stored(*crls, received_at=received_at)
    )
    return chain_revocation(chain, material=material, now=now, limits=RevocationLimits(**limits))


def states(result: ChainRevocation) -> list[str]:
    return [state.state.value for state in result.states]


def one(result: ChainRevocation, code: str) -> Finding:
    found = [finding for finding in result.findings if finding.code == code]
    assert len(found) == 1
    return found[0]


def codes(result: ChainRevocation) -> set[str]:
    return {finding.code for finding in result.findings}


class TestChain:
    def test_every_certificate_below_the_root_is_judged(self) -> None:
        result = judge(responses())
        assert states(result) == ["not_checked", "good", "good", "good"]
        assert codes(result) == {"revocation.good"}
        finding = one(result, "revocation.good")
        assert (finding.severity, finding.data) == (
            Severity.INFO,
            {"certificates": [1, 2, 3], "age_s": 3600},
        )
        assert "3600 s old" in finding.detail
        assert [row["certificate"] for row in result.as_json()] == [0, 1, 2, 3]

    def test_without_documents_nothing_is_good(self) -> None:
        result = judge()
        assert set(states(result)) == {"not_checked"}
        assert set(result.states) == {NOT_CHECKED}
        assert [f.data["certificate"] for f in result.findings] == [1, 2, 3]
        assert codes(result) == {"revocation.not_checked"}

    @pytest.mark.parametrize("position", [1, 2, 3])
    def test_a_revoked_certificate_is_named_with_reason_and_age(self, position: int) -> None:
        result = judge(responses([position]))
        expected = ["not_checked", "good", "good", "good"]
        expected[position] = "revoked"
        assert states(result) == expected
        finding = one(result, "revocation.revoked")
        assert finding.severity is Severity.ERROR
        assert (finding.data["certificate"], finding.data["age_s"]) == (position, 3600)
        assert finding.data["source"] == "ocsp"
        assert "3600 s ago by ocsp" in finding.detail

    def test_lists_cover_the_chain_like_answers(self) -> None:
        assert states(judge(crls=lists())) == ["not_checked", "good", "good", "good"]
        assert states(judge(crls=lists(DEVICE.serial_number)))[1] == "revoked"

    def test_a_statement_about_the_leaf_counts_if_there_is_one(self) -> None:
        about_leaf = revoked(certificate=CHAIN[0], issuer=gpu().device, signer=gpu().device)
        result = judge([*responses(), about_leaf.der()])
        assert states(result) == ["revoked", "good", "good", "good"]

    def test_another_cards_answer_says_nothing_about_this_one(self) -> None:
        result = judge([*responses(positions=[2, 3]), *responses()], chain=other_chain())
        assert states(result) == ["not_checked", "not_checked", "good", "good"]
        assert one(result, "revocation.not_checked").data["certificate"] == 1

    def test_documents_by_other_authorities_of_the_same_names_say_nothing(self) -> None:
        chain = x509.load_pem_x509_certificates(gpu(authority=STRANGER).certificate_chain)
        result = judge(responses(), lists(), chain=chain)
        assert set(states(result)) == {"not_checked"}
        reasons = {
            finding.data["reason"]
            for finding in result.findings
            if finding.code == "revocation.malformed"
        }
        assert reasons == {"signature"}

    def test_codes_for_hold_unknown_and_stale(self) -> None:
        assert "revocation.hold" in codes(judge([revoked(HOLD).der()]))
        unknown = Answer(status=ocsp.OCSPCertStatus.UNKNOWN).der()
        assert "revocation.unknown" in codes(judge([unknown]))
        result = judge([Answer().der()], now=NOW + 9 * DAY)
        finding = one(result, "revocation.stale")
        assert (finding.data["age_s"], finding.data["stale"]) == (9 * 86400 + 3600, True)
        assert finding.data["next_update"] == "2026-11-24T00:00:00+00:00"
        assert states(result)[1] == "not_checked"

    def test_limits_reach_the_documents(self) -> None:
        assert states(judge(responses(), max_age=timedelta(minutes=1))) == ["not_checked"] * 4


class TestAsOf:
    def test_what_was_received_later_is_not_known_yet(self) -> None:
        early, late = stored(*responses()), stored(*responses([1]), received_at=NOW + HOUR)
        material = RevocationMaterial.load(ocsp=[*early, *late])
        before = chain_revocation(CHAIN, material=material, now=NOW)
        after = chain_revocation(CHAIN, material=material, now=NOW + HOUR)
        assert (states(before)[1], states(after)[1]) == ("good", "revoked")
        again = RevocationMaterial.load(ocsp=[*early, *late])
        assert chain_revocation(CHAIN, material=again, now=NOW) == before

    def test_the_same_holds_for_lists_and_for_what_cannot_be_read(self) -> None:
        late = [*lists(DEVICE.serial_number), b"garbage"]
        material = RevocationMaterial.load(
            crls=[*stored(*lists()), *stored(*late, received_at=NOW + HOUR)],
            ocsp=stored(b"garbage", received_at=NOW + HOUR),
        )
        before = chain_revocation(CHAIN, material=material, now=NOW)
        after = chain_revocation(CHAIN, material=material, now=NOW + HOUR)
        assert codes(before) == {"revocation.good"}
        assert codes(after) == {"revocation.good", "revocation.revoked", "revocation.malformed"}
        unread = RevocationMaterial.load(ocsp=stored(b"garbage", received_at=NOW + HOUR))
        nothing = chain_revocation(CHAIN, material=unread, now=NOW)
        assert codes(nothing) == {"revocation.not_checked"}

    def test_the_order_of_the_documents_does_not_matter(self) -> None:
        documents = stored(*responses(), *responses([2], now=NOW - 2 * HOUR), revoked(HOLD).der())
        crls = stored(*lists(), *lists(CHAIN[3].serial_number, reason=HOLD, now=NOW - DAY))
        results = set()
        for seed in range(6):
            source = random.Random(seed)
            shuffled = source.sample(documents, len(documents)), source.sample(crls, len(crls))
            material = RevocationMaterial.load(ocsp=shuffled[0], crls=shuffled[1])
            results.add(chain_revocation(CHAIN, material=material, now=NOW).states)
        assert [state.state.value for state in results.pop()] == [
            "not_checked",
            "hold",
            "revoked",
            "good",
        ]
        assert not results


class TestWeighing:
    def test_a_lifted_hold_is_good_again_and_the_other_way_round(self) -> None:
        serial = DEVICE.serial_number
        for early, late, expected in (
            ((serial,), (), "good"),
            ((), (serial,), "hold"),
        ):
            crls = lists(*early, reason=HOLD, now=NOW - DAY) + lists(*late, reason=HOLD)
            result = judge(crls=crls)
            assert states(result)[1] == expected
            older = judge(crls=crls[:4], now=NOW - 2 * HOUR, received_at=NOW - DAY)
            assert states(older)[1] == ("hold" if early else "good")

    def test_a_revocation_is_never_taken_back(self) -> None:
        old = revoked(this_update=NOW - 90 * DAY, next_update=NOW - 80 * DAY)
        for newer in ([Answer().der()], responses()):
            result = judge([replace(old, produced_at=NOW - 90 * DAY).der(), *newer], lists())
            assert states(result)[1] == "revoked"
            assert result.states[1].stale

    def test_unknown_gives_way_to_who_knows(self) -> None:
        unknown = Answer(status=ocsp.OCSPCertStatus.UNKNOWN)
        assert states(judge([unknown.der()], lists()))[1] == "good"
        assert states(judge([unknown.der(), revoked(HOLD).der()]))[1] == "hold"

    def test_a_stale_hold_stands_until_somebody_clears_it(self) -> None:
        held = revoked(
            HOLD, this_update=NOW - 9 * DAY, next_update=NOW - 8 * DAY, produced_at=NOW - 9 * DAY
        )
        cleared_but_stale = replace(
            Answer(),
            this_update=NOW - 3 * DAY,
            next_update=NOW - 2 * DAY,
            produced_at=NOW - 3 * DAY,
        )
        assert states(judge([held.der()]))[1] == "hold"
        assert states(judge([held.der(), cleared_but_stale.der()]))[1] == "hold"
        assert states(judge([held.der(), cleared_but_stale.der(), Answer().der()]))[1] == "good"

    def test_of_two_as_new_the_worse_counts(self) -> None:
        for documents in itertools.permutations([Answer().der(), revoked(HOLD).der()]):
            assert states(judge(documents))[1] == "hold"

    def test_any_set_with_a_revocation_is_revoked_and_good_needs_a_fresh_good(self) -> None:
        source = random.Random("weights")
        kinds = [*RevocationState]
        for _ in range(500):
            statements = [NOT_CHECKED] + [
                Revocation(
                    state=source.choice(kinds),
                    source="ocsp",
                    this_update=NOW - source.randint(0, 5) * HOUR,
                    age_s=0,
                )
                for _ in range(source.randint(0, 5))
            ]
            found = {statement.state for statement in statements}
            outcome = weigh(statements)
            assert (outcome.state is REVOKED) == (REVOKED in found)
            if outcome.state is GOOD:
                assert GOOD in found
                holds = [s for s in statements if s.state is RevocationState.HOLD]
                assert outcome.this_update not in {hold.this_update for hold in holds}
                assert max([outcome, *holds], key=moment) is outcome
            if outcome.state is UNCHECKED:
                assert found <= {UNCHECKED}


class TestBadMaterial:
    def test_what_cannot_be_read_is_a_note_where_it_is_missed_and_harms_nobody(self) -> None:
        try_later = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        broken = [b"garbage", bytes(MAX_OCSP_BYTES + 1), try_later.public_bytes(ENCODING)]
        crls = [b"garbage", bytes(MAX_CRL_BYTES + 1)]
        assert codes(judge([*broken, *responses()], crls)) == {"revocation.good"}
        result = judge([*broken, *responses(positions=[1, 3])], crls)
        assert states(result) == ["not_checked", "good", "not_checked", "good"]
        notes = [f for f in result.findings if f.code == "revocation.malformed"]
        assert {note.severity for note in notes} == {Severity.INFO}
        assert sorted((note.data["source"], note.data["reason"]) for note in notes) == [
            ("crl", "der"),
            ("crl", "size"),
            ("ocsp", "der"),
            ("ocsp", "size"),
            ("ocsp", "status.try_later"),
        ]
        assert all(len(note.data["sha256"]) == 64 for note in notes)

    def test_a_document_that_must_not_be_used_says_for_which_certificate(self) -> None:
        result = judge([Answer(signer=STRANGER.device_chain[0]).der()])
        note = one(result, "revocation.malformed")
        assert note.data == {"reason": "responder", "source": "ocsp", "certificate": 1}
        assert states(result)[1] == "not_checked"
        beside = judge([Answer(signer=STRANGER.device_chain[0]).der(), *responses()])
        assert codes(beside) == {"revocation.good"}

    def test_no_mutation_clears_a_revoked_chain_or_leaves_as_an_exception(self) -> None:
        answer = responses([1], positions=[1])[0]
        crl = lists(DEVICE.serial_number)[0]
        flipped = zip(
            random.Random("a").sample(list(one_bit_flips(answer, "chain ocsp")), 200),
            random.Random("b").sample(list(one_bit_flips(crl, "chain crl")), 200),
            strict=True,
        )
        damaged = zip(
            mutations(answer, "chain ocsp", 600), mutations(crl, "chain crl", 600), strict=True
        )
        outcomes = set()
        for changed_answer, changed_crl in (*flipped, *damaged):
            outcomes.add(states(judge([changed_answer], [changed_crl]))[1])
        assert "not_checked" in outcomes
        assert outcomes <= {"revoked", "not_checked"}

    def test_damaged_good_documents_add_nothing_to_a_revocation(self) -> None:
        answer = responses(positions=[1])[0]
        for changed in mutations(answer, "beside a revocation", 300):
            result = judge([changed, answer], lists(DEVICE.serial_number))
            assert states(result)[1] == "revoked"


class TestVerifier:
    """The same through ``verify_evidence``, with the policy's switch."""

    def appraise(
        self,
        material: RevocationMaterial | None,
        *,
        enforced: bool = False,
        trust: TrustAnchors = EMULATOR_TRUST,
        now: datetime = NOW,
    ) -> DeviceAppraisal:
        evidence = NodeEvidence(CHALLENGE, (gpu().evidence(CHALLENGE),), True, "h100_80g", 1)
        appraisal = verify_evidence(
            evidence,
            policy=replace(STRICT, enforce_revocation=enforced, enforce_chain=False),
            now=now,
            trust=trust,
            rims=EMULATED_RIMS,
            revocation=material,
        )
        return appraisal.devices[0]

    def found(self, device: DeviceAppraisal) -> dict[str, Severity]:
        return {
            finding.code: finding.severity
            for finding in device.findings
            if finding.code.startswith("revocation.")
        }

    def material(self, *ocsp: bytes, crls: Sequence[bytes] = ()) -> RevocationMaterial:
        return RevocationMaterial.load(ocsp=stored(*ocsp), crls=stored(*crls))

    @pytest.mark.parametrize("enforced", [True, False])
    def test_a_good_chain_is_affirmed_and_its_statements_kept(self, enforced: bool) -> None:
        device = self.appraise(self.material(*responses()), enforced=enforced)
        assert (device.status, device.tier) == (Status.AFFIRMING, Tier.T4)
        assert self.found(device) == {"revocation.good": Severity.INFO}
        kept = device.collateral["revocation"]["certificates"]
        assert [row["state"] for row in kept] == ["not_checked", "good", "good", "good"]

    @pytest.mark.parametrize("position", [1, 2, 3])
    def test_a_revoked_device_loses_its_tier_even_where_it_is_only_observed(
        self, position: int
    ) -> None:
        material = self.material(*responses([position]))
        observed = self.appraise(material)
        assert (observed.status, observed.tier) == (Status.WARNING, Tier.T1)
        assert self.found(observed)["revocation.revoked"] is Severity.WARNING
        enforced = self.appraise(material, enforced=True)
        assert (enforced.status, enforced.tier) == (Status.CONTRAINDICATED, Tier.T1)

    def test_a_hold_warns_or_refuses_but_keeps_what_was_proven(self) -> None:
        material = self.material(*responses(positions=[2, 3]), revoked(HOLD).der())
        observed = self.appraise(material)
        assert (observed.status, observed.tier) == (Status.WARNING, Tier.T4)
        assert self.appraise(material, enforced=True).status is Status.CONTRAINDICATED

    @pytest.mark.parametrize(
        ("material", "code"),
        [
            (None, "revocation.unknown"),
            (RevocationMaterial.load(), "revocation.not_checked"),
            (RevocationMaterial.load(crls=stored(*lists()[1:])), "revocation.not_checked"),
        ],
    )
    def test_who_was_not_looked_up_is_never_good(
        self, material: RevocationMaterial | None, code: str
    ) -> None:
        observed = self.appraise(material)
        assert (observed.status, observed.tier) == (Status.AFFIRMING, Tier.T4)
        assert self.found(observed)[code] is Severity.INFO
        enforced = self.appraise(material, enforced=True)
        assert enforced.status is Status.CONTRAINDICATED
        assert self.found(enforced)[code] is Severity.ERROR

    def test_without_material_the_note_says_that_nobody_looked(self) -> None:
        finding = next(f for f in self.appraise(None).findings if f.code == "revocation.unknown")
        assert finding.data == {"state": "not_checked"}

    def test_nothing_counts_about_a_chain_that_is_not_verified(self) -> None:
        for material in (self.material(*responses()), self.material(*responses([1]))):
            device = self.appraise(material, trust=TrustAnchors.nvidia())
            assert self.found(device) == {"revocation.not_checked": Severity.INFO}
            assert "revocation" not in device.collateral

    def test_a_chain_before_its_time_is_still_its_issuers(self) -> None:
        early = datetime(2019, 1, 1, tzinfo=UTC)
        table = {DEVICE.serial_number: RevokedEntry(early - DAY)}
        crl = crl_issue(ISSUERS[0], number=1, this_update=early - HOUR, revoked=table)
        documents = stored(crl, received_at=early)
        device = self.appraise(RevocationMaterial.load(crls=documents), now=early)
        assert self.found(device)["revocation.revoked"] is Severity.WARNING


def moment(statement: Revocation) -> datetime:
    assert statement.this_update is not None
    return statement.this_update


def other_chain() -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(gpu("another card").certificate_chain))
