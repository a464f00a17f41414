"""OCSP requests, and responses that are wrong in one thing each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from network.attestation.dice import _children
from network.attestation.emulator.authority import Issuer
from network.attestation.emulator.encoding import der
from network.attestation.emulator.revocation import (
    EmulatedResponder,
    RevokedEntry,
    ocsp_assemble,
    ocsp_delegate,
)
from network.attestation.ocsp import (
    CERT_ID_HASHES,
    MAX_OCSP_BYTES,
    ocsp_request,
    ocsp_verify,
    parse_ocsp_response,
)
from network.attestation.revocation import (
    Revocation,
    RevocationError,
    RevocationLimits,
    RevocationState,
)

from .revocations import (
    CHAIN,
    DAY,
    DEVICE,
    HOUR,
    ISSUERS,
    NONCE,
    PROVISIONER,
    Answer,
    delegate,
    mutations,
    one_bit_flips,
    revoked,
)
from .samples import AUTHORITY, NOW, STRANGER, gpu

ENCODING = Encoding.DER
UNKNOWN_EXTENSION = x509.UnrecognizedExtension(
    x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0"
)


def verify(
    response: bytes,
    *,
    certificate: x509.Certificate = DEVICE,
    issuer: x509.Certificate = PROVISIONER,
    now: datetime = NOW,
    nonce: bytes | None = None,
    **limits: timedelta,
) -> Revocation:
    return ocsp_verify(
        parse_ocsp_response(response),
        certificate=certificate,
        issuer=issuer,
        now=now,
        limits=RevocationLimits(**limits),
        nonce=nonce,
    )


def refusal(response: bytes, **options: object) -> str:
    """The word for which a response is refused."""
    with pytest.raises(RevocationError) as caught:
        verify(response, **options)  # type: ignore[arg-type]
    assert caught.value.code == "revocation.malformed"
    assert caught.value.data == {"reason": caught.value.reason}
    return caught.value.reason


class TestRequest:
    @pytest.mark.parametrize("algorithm", CERT_ID_HASHES)
    def test_it_names_the_certificate_and_carries_the_nonce(
        self, algorithm: hashes.HashAlgorithm
    ) -> None:
        request = ocsp.load_der_ocsp_request(
            ocsp_request(DEVICE, PROVISIONER, nonce=NONCE, algorithm=algorithm)
        )
        assert request.serial_number == DEVICE.serial_number
        assert request.hash_algorithm.name == algorithm.name
        digest = hashes.Hash(algorithm)
        digest.update(PROVISIONER.subject.public_bytes())
        assert request.issuer_name_hash == digest.finalize()
        assert request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE

    def test_the_nonce_may_be_left_out_but_not_be_short(self) -> None:
        request = ocsp.load_der_ocsp_request(ocsp_request(DEVICE, PROVISIONER))
        assert len(request.extensions) == 0
        with pytest.raises(ValueError, match="32 bytes"):
            ocsp_request(DEVICE, PROVISIONER, nonce=b"short")


class TestEmulatedResponder:
    @pytest.mark.parametrize("position", [1, 2, 3])
    @pytest.mark.parametrize("algorithm", CERT_ID_HASHES)
    def test_it_answers_for_every_authority_by_every_hash(
        self, position: int, algorithm: hashes.HashAlgorithm
    ) -> None:
        certificate, issuer = CHAIN[position], CHAIN[position + 1]
        request = ocsp_request(certificate, issuer, nonce=NONCE, algorithm=algorithm)
        options = {"certificate": certificate, "issuer": issuer, "nonce": NONCE}
        good = EmulatedResponder(AUTHORITY).answer(request, now=NOW)
        assert verify(good, **options).state is RevocationState.GOOD  # type: ignore[arg-type]
        table = {certificate.serial_number: RevokedEntry(NOW - DAY)}
        bad = EmulatedResponder(AUTHORITY, table).answer(request, now=NOW)
        state = verify(bad, **options)  # type: ignore[arg-type]
        assert (state.state, state.revoked_at) == (RevocationState.REVOKED, NOW - DAY)
        assert state.reason is None

    def test_it_does_not_speak_for_leaves_or_strangers(self) -> None:
        responder = EmulatedResponder(AUTHORITY)
        strange = gpu(authority=STRANGER).certificate_chain
        certificates = x509.load_pem_x509_certificates(strange)
        for certificate, issuer in ((CHAIN[0], DEVICE), (certificates[1], certificates[2])):
            response = responder.answer(ocsp_request(certificate, issuer), now=NOW)
            assert refusal(response) == "status.unauthorized"

    @pytest.mark.parametrize("request_der", [b"", b"\x30\0", b"garbage", bytes(MAX_OCSP_BYTES + 1)])
    def test_what_is_no_request_is_told_so(self, request_der: bytes) -> None:
        response = EmulatedResponder(AUTHORITY).answer(request_der, now=NOW)
        assert refusal(response) == "status.malformed_request"

    def test_the_same_seed_and_time_give_the_same_bytes(self) -> None:
        request = ocsp_request(DEVICE, PROVISIONER, nonce=NONCE)
        first, second = (EmulatedResponder(AUTHORITY).answer(request, now=NOW) for _ in range(2))
        assert first == second


class TestStates:
    @pytest.mark.parametrize("algorithm", CERT_ID_HASHES)
    @pytest.mark.parametrize("by_name", [True, False])
    @pytest.mark.parametrize("own_key", [True, False])
    def test_good(self, algorithm: hashes.HashAlgorithm, by_name: bool, own_key: bool) -> None:
        answer = Answer(
            algorithm=algorithm, by_name=by_name, signer=ISSUERS[0] if own_key else None
        )
        state = verify(answer.der())
        assert (state.state, state.source, state.age_s) == (RevocationState.GOOD, "ocsp", 3600)
        assert (state.this_update, state.next_update) == (NOW - HOUR, NOW + DAY)
        assert not state.stale
        assert state.as_json()["next_update"] == "2026-11-24T00:00:00+00:00"

    def test_the_issuers_own_answer_needs_no_certificate(self) -> None:
        answer = Answer(signer=ISSUERS[0], certificates=())
        assert verify(answer.der()).state is RevocationState.GOOD

    @pytest.mark.parametrize(
        "reason",
        [
            *(flag for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.certificate_hold),
            None,
        ],
    )
    def test_revoked_for_whatever_reason(self, reason: x509.ReasonFlags | None) -> None:
        state = verify(revoked(reason).der())
        assert state.state is RevocationState.REVOKED
        assert state.reason == (reason.value if reason else None)
        assert state.revoked_at == NOW - 30 * DAY

    def test_hold(self) -> None:
        state = verify(revoked(x509.ReasonFlags.certificate_hold).der())
        assert (state.state, state.reason) == (RevocationState.HOLD, "certificateHold")

    def test_a_certificate_that_was_never_issued_is_not_merely_on_hold(self) -> None:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        state = verify(revoked(x509.ReasonFlags.certificate_hold, revoked_at=epoch).der())
        assert (state.state, state.reason) == (RevocationState.REVOKED, "neverIssued")

    def test_unknown(self) -> None:
        state = verify(Answer(status=ocsp.OCSPCertStatus.UNKNOWN).der())
        assert state.state is RevocationState.UNKNOWN


class TestTime:
    def test_the_window_allows_for_skewed_clocks(self) -> None:
        answer = Answer(this_update=NOW, produced_at=NOW).der()
        early = verify(answer, now=NOW - timedelta(minutes=5))
        assert (early.state, early.age_s) == (RevocationState.GOOD, 0)
        assert refusal(answer, now=NOW - timedelta(minutes=5, seconds=1)) == "not_yet"
        end = NOW + DAY + timedelta(minutes=5)
        assert verify(answer, now=end - timedelta(seconds=1)).state is RevocationState.GOOD
        late = verify(answer, now=end)
        assert (late.state, late.stale) == (RevocationState.NOT_CHECKED, True)
        assert late.age_s == 86400 + 300

    def test_an_answer_from_the_future_is_refused(self) -> None:
        assert refusal(Answer(this_update=NOW + HOUR).der()) == "not_yet"
        assert refusal(Answer(produced_at=NOW + HOUR).der()) == "not_yet"

    def test_a_window_that_ends_before_it_begins_is_refused(self) -> None:
        assert refusal(Answer(next_update=NOW - 2 * HOUR).der()) == "window"

    def test_an_answer_without_an_end_lives_a_day(self) -> None:
        fresh, old = (
            Answer(next_update=None, this_update=NOW - age).der() for age in (DAY, 25 * HOUR)
        )
        assert verify(fresh).state is RevocationState.GOOD
        assert verify(old).stale
        assert verify(old, undated_max_age=2 * DAY).state is RevocationState.GOOD

    def test_a_limit_of_our_own_can_only_shorten(self) -> None:
        answer = Answer().der()
        assert verify(answer, max_age=HOUR).state is RevocationState.GOOD
        assert verify(answer, max_age=HOUR - timedelta(seconds=1)).stale
        assert verify(answer, max_age=9 * DAY, now=NOW + 2 * DAY).stale

    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (Answer(), RevocationState.NOT_CHECKED),
            (Answer(status=ocsp.OCSPCertStatus.UNKNOWN), RevocationState.NOT_CHECKED),
            (revoked(), RevocationState.REVOKED),
            (revoked(x509.ReasonFlags.certificate_hold), RevocationState.HOLD),
        ],
    )
    def test_a_stale_answer_never_speaks_for_but_still_against(
        self, answer: Answer, state: RevocationState
    ) -> None:
        found = verify(answer.der(), now=NOW + 9 * DAY)
        assert (found.state, found.stale, found.age_s) == (state, True, 9 * 86400 + 3600)


class TestAuthority:
    """Only the issuer and its delegates may speak."""

    @pytest.mark.parametrize(
        "signer",
        [
            delegate(purposes=()),
            delegate(purposes=[ExtendedKeyUsageOID.SERVER_AUTH]),
            delegate(purposes=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
            delegate(no_check=False),
            delegate(digital_signature=False),
            delegate(begin=NOW - timedelta(minutes=1)),
            delegate((UNKNOWN_EXTENSION, True)),
            # Issued by the issuer's issuer, and by one who has only the same name.
            delegate(issuer=ISSUERS[1]),
            delegate(issuer=STRANGER.device_chain[0]),
            ocsp_delegate(STRANGER, STRANGER.device_chain[0]),
            # Another authority of the same chain, and the same name with another key.
            ISSUERS[1],
            ISSUERS[2],
            STRANGER.device_chain[0],
        ],
    )
    @pytest.mark.parametrize("by_name", [True, False])
    def test_nobody_else_may_answer(self, signer: Issuer, by_name: bool) -> None:
        for answer in (Answer(signer=signer, by_name=by_name), revoked(signer=signer)):
            assert refusal(answer.der()) in {"responder", "signature"}

    def test_a_right_delegate_may(self) -> None:
        for signer in (delegate(), delegate((UNKNOWN_EXTENSION, False))):
            assert verify(Answer(signer=signer).der()).state is RevocationState.GOOD

    def test_the_checked_certificate_does_not_speak_for_itself(self) -> None:
        card = gpu().device
        assert card.certificate == DEVICE
        assert refusal(Answer(signer=card).der()) == "responder"
        # Not even when its issuer allows it to answer for others.
        both = delegate()
        answer = Answer(signer=both, certificate=both.certificate)
        assert refusal(answer.der(), certificate=both.certificate) == "responder"

    def test_an_expired_delegates_revocation_still_stands(self) -> None:
        signer = delegate(end=NOW - timedelta(minutes=30))
        assert refusal(Answer(signer=signer).der()) == "responder"
        held = revoked(x509.ReasonFlags.certificate_hold, signer=signer)
        assert refusal(held.der()) == "responder"
        assert verify(revoked(signer=signer).der()).state is RevocationState.REVOKED
        later = revoked(signer=signer, produced_at=NOW - timedelta(minutes=29))
        assert refusal(later.der()) == "responder"

    def test_a_delegate_that_is_not_included_cannot_be_known(self) -> None:
        assert refusal(Answer(certificates=()).der()) == "responder"

    def test_a_signature_by_another_key_is_refused(self) -> None:
        right = Answer()
        data = ocsp.load_der_ocsp_response(right.der()).tbs_response_bytes
        impostor = Issuer(right.actual_signer.certificate, STRANGER.derive_key("impostor"))
        assert refusal(ocsp_assemble(data, impostor, right.included)) == "signature"
        assert verify(ocsp_assemble(data, right.actual_signer, right.included)) == verify(
            right.der()
        )

    def test_only_strong_elliptic_curves_count(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        signer = delegate(key=key)
        response = (
            Answer(signer=signer)
            .builder()
            .certificates([signer.certificate])
            .sign(key, hashes.SHA256())
        )
        late = response.produced_at_utc + timedelta(minutes=1)
        answer = parse_ocsp_response(response.public_bytes(ENCODING))
        with pytest.raises(RevocationError, match="not signed"):
            ocsp_verify(answer, certificate=DEVICE, issuer=PROVISIONER, now=late)
        small = delegate(key=ec.derive_private_key(5, ec.SECP224R1()))
        assert refusal(Answer(signer=small).der()) == "signature"
        for curve in (ec.SECP256R1(), ec.SECP521R1()):
            strong = delegate(key=ec.derive_private_key(5, curve))
            assert verify(Answer(signer=strong).der()).state is RevocationState.GOOD


class TestCertId:
    def test_an_answer_about_another_certificate_is_refused(self) -> None:
        other = x509.load_pem_x509_certificates(gpu("another card").certificate_chain)[1]
        assert refusal(Answer(certificate=other).der()) == "cert_id"
        above = Answer(certificate=PROVISIONER, issuer=ISSUERS[1])
        assert refusal(above.der()) == "cert_id"

    def test_the_same_serial_of_another_issuer_is_refused(self) -> None:
        foreign = Answer(issuer=STRANGER.device_chain[0], signer=ISSUERS[0])
        assert refusal(foreign.der()) == "cert_id"

    @pytest.mark.parametrize("algorithm", [hashes.SHA224(), hashes.SHA512()])
    def test_other_hashes_than_ours_are_refused(self, algorithm: hashes.HashAlgorithm) -> None:
        assert refusal(Answer(algorithm=algorithm).der()) == "cert_id"


class TestNonce:
    def test_an_echo_must_be_ours(self) -> None:
        assert verify(Answer(nonce=NONCE).der(), nonce=NONCE).state is RevocationState.GOOD
        assert refusal(Answer(nonce=bytes(32)).der(), nonce=NONCE) == "nonce"
        assert refusal(Answer(nonce=NONCE[:31]).der(), nonce=NONCE) == "nonce"

    def test_caches_may_leave_it_out(self) -> None:
        assert verify(Answer().der(), nonce=NONCE).state is RevocationState.GOOD

    def test_a_stored_answer_may_carry_any(self) -> None:
        assert verify(Answer(nonce=NONCE).der()).state is RevocationState.GOOD


class TestReading:
    @pytest.mark.parametrize(
        "status",
        sorted(set(ocsp.OCSPResponseStatus) - {ocsp.OCSPResponseStatus.SUCCESSFUL}, key=str),
    )
    def test_every_refusal_of_the_responder_has_its_word(
        self, status: ocsp.OCSPResponseStatus
    ) -> None:
        response = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(ENCODING)
        assert refusal(response) == f"status.{status.name.lower()}"

    @pytest.mark.parametrize(
        "response",
        [
            b"",
            b"\0",
            b"<html>",
            der(0x30, b""),
            der(0x30, der(0x0A, b"\0")),
            der(0x30, der(0x0A, b"\4")),
            der(0x30, der(0x0A, b"\x09")),
            Answer().der()[:-1],
            Answer().der() + b"\0",
        ],
    )
    def test_what_is_no_response_is_refused(self, response: bytes) -> None:
        assert refusal(response) == "der"

    def test_the_size_is_bounded(self) -> None:
        assert refusal(bytes(MAX_OCSP_BYTES + 1)) == "size"
        assert refusal(bytes(MAX_OCSP_BYTES)) == "der"

    def test_one_request_gets_one_answer(self) -> None:
        """An answer about the right certificate, and beside it one about another."""
        for order in (1, -1):
            singles = [
                single_response(revoked()),
                single_response(Answer(certificate=PROVISIONER, issuer=ISSUERS[1])),
            ][::order]
            assert refusal(with_singles(Answer(), b"".join(singles))) == "responses"
        assert refusal(with_singles(Answer(), b"")) == "responses"

    def test_unknown_critical_extensions_are_refused_and_others_passed_over(self) -> None:
        assert refusal(Answer(extensions=((UNKNOWN_EXTENSION, True),)).der()) == "extension"
        known = Answer(extensions=((UNKNOWN_EXTENSION, False),)).der()
        assert verify(known).state is RevocationState.GOOD
        oid = bytes.fromhex("06082b06010401868d1f")
        for critical, reason in ((b"\x01\x01\xff", "extension"), (b"", None)):
            extension = der(0x30, oid + critical + der(0x04, b"\5\0"))
            single = der(
                0x30,
                next(_children(single_response(Answer())))[1] + der(0xA1, der(0x30, extension)),
            )
            changed = with_singles(Answer(), single)
            if reason is None:
                assert verify(changed).state is RevocationState.GOOD
            else:
                assert refusal(changed) == reason


class TestMutations:
    def test_no_flipped_bit_makes_a_revoked_certificate_good(self) -> None:
        for document in (revoked(), revoked(signer=ISSUERS[0], certificates=(), nonce=NONCE)):
            tried = 0
            for changed in one_bit_flips(document.der(), "ocsp flips"):
                assert state_or_none(changed) in {None, RevocationState.REVOKED}
                tried += 1
            assert tried == len(document.der())

    def test_random_damage_is_refused_by_a_typed_error(self) -> None:
        states = {state_or_none(d) for d in mutations(revoked().der(), "ocsp damage", 2500)}
        assert states <= {None, RevocationState.REVOKED}
        assert None in states

    def test_damage_that_was_signed_leaves_no_untyped_error_either(self) -> None:
        """A responder that signs nonsense must not stop the verifier."""
        answer = revoked(nonce=NONCE)
        data = ocsp.load_der_ocsp_response(answer.der()).tbs_response_bytes
        outcomes = {
            state_or_none(ocsp_assemble(changed, answer.actual_signer, answer.included))
            for changed in (*mutations(data, "signed", 400), *one_bit_flips(data, "signed"))
        }
        assert {None, RevocationState.REVOKED} <= outcomes

    def test_every_truncation_is_refused(self) -> None:
        document = revoked().der()
        assert {state_or_none(document[:end]) for end in range(len(document))} == {None}


def state_or_none(response: bytes) -> RevocationState | None:
    """The state, or None for a refused response. Any other error leaves and fails the test."""
    try:
        return verify(response).state
    except RevocationError:
        return None


def single_response(answer: Answer) -> bytes:
    """The DER of the one SingleResponse in an answer."""
    return _parts(answer)[1]


def with_singles(answer: Answer, singles: bytes) -> bytes:
    """The answer signed again with other SingleResponses."""
    head, _, tail = _parts(answer)
    data = der(0x30, head + der(0x30, singles) + tail)
    return ocsp_assemble(data, answer.actual_signer, answer.included)


def _parts(answer: Answer) -> tuple[bytes, bytes, bytes]:
    """ResponseData taken apart: what stands before the answers, the answers, what follows."""
    response = ocsp.load_der_ocsp_response(answer.der())
    fields = list(_children(next(_children(response.tbs_response_bytes))[1]))
    place = next(number for number, field in enumerate(fields) if field[0] == 0x30)
    whole = [field[2] for field in fields]
    return b"".join(whole[:place]), fields[place][1], b"".join(whole[place + 1 :])
