"""Revocation lists that are right, and lists that are wrong in one thing each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from network.attestation.crl import MAX_CRL_BYTES, crl_verify, parse_crl
from network.attestation.dice import _children
from network.attestation.emulator.authority import Issuer
from network.attestation.emulator.encoding import der
from network.attestation.emulator.revocation import RevokedEntry, crl_issue
from network.attestation.revocation import (
    Revocation,
    RevocationError,
    RevocationLimits,
    RevocationState,
)

from .revocations import CHAIN, DAY, DEVICE, HOUR, ISSUERS, PROVISIONER, mutations, one_bit_flips
from .samples import AUTHORITY, NOW, STRANGER, gpu

SERIAL = DEVICE.serial_number
UNKNOWN_EXTENSION = x509.UnrecognizedExtension(
    x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0"
)
ADDRESS = x509.UniformResourceIdentifier("http://crl.example/l2.crl")
OTHER_ADDRESS = x509.UniformResourceIdentifier("http://crl.example/other.crl")


def crl(
    *entries: tuple[int, x509.ReasonFlags | None],
    issuer: Issuer = ISSUERS[0],
    this_update: datetime = NOW - HOUR,
    **options: Any,
) -> bytes:
    return crl_issue(
        issuer,
        number=7,
        this_update=this_update,
        revoked={serial: RevokedEntry(NOW - DAY, reason) for serial, reason in entries},
        **options,
    )


def verify(
    document: bytes,
    *,
    certificate: x509.Certificate = DEVICE,
    issuer: x509.Certificate = PROVISIONER,
    now: datetime = NOW,
    **limits: timedelta,
) -> Revocation:
    return crl_verify(
        parse_crl(document),
        certificate=certificate,
        issuer=issuer,
        now=now,
        limits=RevocationLimits(**limits),
    )


def refusal(document: bytes, **options: Any) -> str:
    with pytest.raises(RevocationError) as caught:
        verify(document, **options)
    assert caught.value.code == "revocation.malformed"
    return caught.value.reason


def distribution(**changes: Any) -> x509.IssuingDistributionPoint:
    plain: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**plain, **changes})


class TestStates:
    def test_who_is_not_listed_is_good(self) -> None:
        state = verify(crl((SERIAL + 1, None), (SERIAL - 1, x509.ReasonFlags.key_compromise)))
        assert (state.state, state.source, state.age_s) == (RevocationState.GOOD, "crl", 3600)
        assert (state.reason, state.revoked_at, state.stale) == (None, None, False)

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            (None, RevocationState.REVOKED),
            (x509.ReasonFlags.key_compromise, RevocationState.REVOKED),
            (x509.ReasonFlags.cessation_of_operation, RevocationState.REVOKED),
            (x509.ReasonFlags.certificate_hold, RevocationState.HOLD),
            # Only delta lists may say it, and they are refused: so it clears nobody.
            (x509.ReasonFlags.remove_from_crl, RevocationState.UNKNOWN),
        ],
    )
    def test_who_is_listed_is_what_the_reason_says(
        self, reason: x509.ReasonFlags | None, expected: RevocationState
    ) -> None:
        state = verify(crl((SERIAL + 1, None), (SERIAL, reason)))
        assert (state.state, state.revoked_at) == (expected, NOW - DAY)
        assert state.reason == (reason.value if reason else None)

    def test_the_authorities_are_covered_by_the_lists_above_them(self) -> None:
        for position in (1, 2, 3):
            certificate, issuer = CHAIN[position], ISSUERS[position - 1]
            document = crl((certificate.serial_number, None), issuer=issuer)
            state = verify(document, certificate=certificate, issuer=CHAIN[position + 1])
            assert state.state is RevocationState.REVOKED

    def test_a_list_without_entries_is_a_list(self) -> None:
        assert verify(crl()).state is RevocationState.GOOD

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        assert crl((SERIAL, None)) == crl((SERIAL, None))


class TestTime:
    def test_a_list_from_the_future_is_refused(self) -> None:
        document = crl()
        begin = NOW - HOUR
        assert refusal(document, now=begin - timedelta(seconds=301)) == "not_yet"
        assert verify(document, now=begin - timedelta(seconds=300)).age_s == 0

    def test_a_stale_list_clears_nobody_but_still_accuses(self) -> None:
        end = NOW + DAY
        entries = ((SERIAL + 1, x509.ReasonFlags.certificate_hold), (SERIAL + 2, None))
        document = crl(*entries, next_update=end)
        for now, stale in ((end + timedelta(seconds=299), False), (end + timedelta(hours=1), True)):
            state = verify(document, now=now)
            assert state.stale is stale
            expected = RevocationState.NOT_CHECKED if stale else RevocationState.GOOD
            assert state.state is expected
        accused = crl((SERIAL, None), next_update=end)
        assert verify(accused, now=end + 9 * DAY).state is RevocationState.REVOKED
        held = crl((SERIAL, x509.ReasonFlags.certificate_hold), next_update=end)
        assert verify(held, now=end + 9 * DAY).state is RevocationState.HOLD

    def test_our_own_limit_shortens_the_lists(self) -> None:
        assert verify(crl(), max_age=timedelta(minutes=59)).stale
        assert not verify(crl(), max_age=timedelta(minutes=61)).stale

    def test_a_list_must_say_when_it_ends(self) -> None:
        """The library writes no list without nextUpdate, so it is taken out and signed again."""

        def without_end(fields: list[bytes]) -> list[bytes]:
            times = [n for n, field in enumerate(fields) if field[0] in (0x17, 0x18)]
            assert len(times) == 2
            return fields[: times[1]] + fields[times[1] + 1 :]

        assert refusal(signed_again(crl(), without_end)) == "next_update"
        assert verify(signed_again(crl(), list)).state is RevocationState.GOOD


class TestAuthority:
    def test_another_issuers_list_is_refused(self) -> None:
        assert refusal(crl(issuer=ISSUERS[1])) == "issuer"
        assert refusal(crl(), certificate=PROVISIONER, issuer=CHAIN[3]) == "issuer"
        # The list and the issuer belong together, but the certificate is another issuer's.
        assert refusal(crl(), certificate=PROVISIONER) == "issuer"

    def test_an_authority_of_the_same_name_is_not_the_same(self) -> None:
        impostor = STRANGER.device_chain[0]
        assert impostor.certificate.subject == PROVISIONER.subject
        assert refusal(crl(issuer=impostor)) == "signature"

    def test_the_issuer_must_be_allowed_to_sign_lists(self) -> None:
        """The device's own certificate may sign its leaf, and no lists."""
        card = gpu()
        document = crl((CHAIN[0].serial_number, None), issuer=card.device)
        assert refusal(document, certificate=CHAIN[0], issuer=DEVICE) == "crl_sign"

    def test_an_issuer_without_key_usage_may_not(self) -> None:
        key = AUTHORITY.derive_key("no usage")
        name = x509.Name.from_rfc4514_string("CN=no usage")
        bare = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(NOW)
            .not_valid_after(NOW + DAY)
            .sign(key, hashes.SHA384())
        )
        document = crl(issuer=Issuer(bare, key))
        assert refusal(document, certificate=bare, issuer=bare) == "crl_sign"


class TestReading:
    def test_delta_and_indirect_lists_are_refused_by_name(self) -> None:
        delta = crl(extensions=[(x509.DeltaCRLIndicator(6), True)])
        assert refusal(delta) == "delta"
        # Marked wrongly as not critical, it is still what it says.
        assert refusal(crl(extensions=[(x509.DeltaCRLIndicator(6), False)])) == "delta"
        indirect = distribution(indirect_crl=True)
        assert refusal(crl(extensions=[(indirect, True)])) == "indirect"
        other = x509.CertificateIssuer([x509.DirectoryName(CHAIN[3].subject)])
        assert refusal(with_entry(SERIAL, (other, True))) == "indirect"

    def test_unknown_critical_extensions_are_refused_wherever_they_are(self) -> None:
        assert refusal(crl(extensions=[(UNKNOWN_EXTENSION, True)])) == "extension"
        known = crl(extensions=[(UNKNOWN_EXTENSION, False)])
        assert verify(known).state is RevocationState.GOOD
        # In another certificate's entry too: the whole list may mean something else.
        assert refusal(with_entry(SERIAL + 1, (UNKNOWN_EXTENSION, True))) == "extension"
        passed = with_entry(SERIAL + 1, (UNKNOWN_EXTENSION, False))
        assert verify(passed).state is RevocationState.GOOD

    def test_a_certificate_named_twice_is_refused(self) -> None:
        builder = list_builder()
        for reason in (x509.ReasonFlags.key_compromise, x509.ReasonFlags.certificate_hold):
            builder = builder.add_revoked_certificate(
                entry(SERIAL, (x509.CRLReason(reason), False))
            )
        assert refusal(signed(builder)) == "entries"

    @pytest.mark.parametrize(
        ("scope", "covers"),
        [
            ({"only_contains_ca_certs": True}, True),
            ({"only_contains_user_certs": True}, False),
            ({"only_contains_attribute_certs": True}, False),
            ({"only_some_reasons": frozenset([x509.ReasonFlags.key_compromise])}, False),
            ({"full_name": [ADDRESS]}, False),
        ],
    )
    def test_a_list_of_part_of_the_certificates_clears_only_those(
        self, scope: dict[str, Any], covers: bool
    ) -> None:
        document = crl(extensions=[(distribution(**scope), True)])
        if covers:
            assert verify(document).state is RevocationState.GOOD
        else:
            assert refusal(document) == "scope"

    def test_a_list_for_one_address_covers_the_certificates_that_name_it(self) -> None:
        leaf = AUTHORITY.issue(
            name="published",
            key=AUTHORITY.derive_key("published"),
            issuer=ISSUERS[0],
            is_authority=False,
            extensions=(
                x509.CRLDistributionPoints([x509.DistributionPoint([ADDRESS], None, None, None)]),
            ),
        ).certificate
        right = crl(extensions=[(distribution(full_name=[OTHER_ADDRESS, ADDRESS]), True)])
        wrong = crl(extensions=[(distribution(full_name=[OTHER_ADDRESS]), True)])
        assert verify(right, certificate=leaf).state is RevocationState.GOOD
        assert refusal(wrong, certificate=leaf) == "scope"
        relative = distribution(
            relative_name=x509.RelativeDistinguishedName(list(leaf.subject)[:1])
        )
        assert refusal(crl(extensions=[(relative, True)]), certificate=leaf) == "scope"
        authorities = crl(extensions=[(distribution(only_contains_ca_certs=True), True)])
        assert refusal(authorities, certificate=leaf) == "scope"
        users = crl(extensions=[(distribution(only_contains_user_certs=True), True)])
        assert verify(users, certificate=leaf).state is RevocationState.GOOD

    @pytest.mark.parametrize(
        "document",
        [b"", b"\0", b"garbage", b"\x30\0", crl()[:-1], crl() + b"\0", b"-----BEGIN X509 CRL-----"],
    )
    def test_what_is_no_list_is_refused(self, document: bytes) -> None:
        assert refusal(document) == "der"

    def test_the_size_is_bounded(self) -> None:
        assert refusal(bytes(MAX_CRL_BYTES + 1)) == "size"
        assert refusal(bytes(MAX_CRL_BYTES)) == "der"

    def test_a_long_list_is_read(self) -> None:
        entries = [(1000 + number, x509.ReasonFlags.key_compromise) for number in range(2000)]
        document = crl(*entries)
        assert verify(document).state is RevocationState.GOOD
        listed = parse_crl(document).statement(2999)
        assert listed.state is RevocationState.REVOKED


class TestMutations:
    def test_no_flipped_bit_makes_a_revoked_certificate_good(self) -> None:
        document = crl((SERIAL, x509.ReasonFlags.key_compromise), (SERIAL + 1, None))
        states = [state_or_none(changed) for changed in one_bit_flips(document, "crl flips")]
        assert len(states) == len(document)
        assert set(states) <= {None, RevocationState.REVOKED}

    def test_random_damage_is_refused_by_a_typed_error(self) -> None:
        document = crl((SERIAL, None))
        states = {state_or_none(d) for d in mutations(document, "crl damage", 2500)}
        assert states <= {None, RevocationState.REVOKED}
        assert None in states

    def test_damage_that_was_signed_leaves_no_untyped_error_either(self) -> None:
        """An issuer that signs nonsense must not stop the verifier."""
        document = crl((SERIAL, x509.ReasonFlags.key_compromise), (SERIAL + 1, None))
        outcomes = set()
        for seed in range(600):

            def damage(fields: list[bytes], seed: int = seed) -> list[bytes]:
                return [next(mutations(b"".join(fields), f"signed {seed}", 1))]

            outcomes.add(state_or_none(signed_again(document, damage)))
        assert {None, RevocationState.REVOKED} <= outcomes

    def test_every_truncation_is_refused(self) -> None:
        document = crl((SERIAL, None))
        assert {state_or_none(document[:end]) for end in range(len(document))} == {None}


def state_or_none(document: bytes) -> RevocationState | None:
    """The state, or None for a refused list. Any other error leaves and fails the test."""
    try:
        return verify(document).state
    except RevocationError:
        return None


def list_builder() -> x509.CertificateRevocationListBuilder:
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(PROVISIONER.subject)
        .last_update(NOW - HOUR)
        .next_update(NOW + DAY)
    )


def entry(serial: int, *extensions: tuple[x509.ExtensionType, bool]) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.build()


def with_entry(serial: int, *extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    return signed(list_builder().add_revoked_certificate(entry(serial, *extensions)))


def signed(builder: x509.CertificateRevocationListBuilder) -> bytes:
    return builder.sign(ISSUERS[0].key, hashes.SHA384()).public_bytes(Encoding.DER)


def signed_again(document: bytes, change: Any) -> bytes:
    """The list with the elements of its TBSCertList changed, signed by the right issuer."""
    body, algorithm, _ = (element[2] for element in _children(next(_children(document))[1]))
    fields = [element[2] for element in _children(next(_children(body))[1])]
    changed = der(0x30, b"".join(change(fields)))
    signature = ISSUERS[0].key.sign(changed, ec.ECDSA(hashes.SHA384()))
    return der(0x30, changed + algorithm + der(0x03, b"\0" + signature))
