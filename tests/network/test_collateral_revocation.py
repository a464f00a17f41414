"""OCSP responses and lists: taken in verified, handed to the verifier as of a time, and fetched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from django.core.cache import cache
from django.core.management import CommandError, call_command

from chain import clock
from network.attestation import Caches, TrustAnchors
from network.attestation.chain_revocation import chain_revocation
from network.attestation.emulator import HOPPER, EmulatedGpu, EmulatorAuthority
from network.attestation.emulator.manifests import driver_manifest
from network.attestation.emulator.revocation import EmulatedResponder, RevokedEntry
from network.errors import NetworkError
from network.models import ChainCertificate, Crl, OcspResponse, Rim
from network.selectors.collateral import (
    authority_states,
    certificates_due,
    revocation_figures,
)
from network.services.collateral_certificates import certificates_forget, device_chain_note
from network.services.collateral_fetch import fetch_client, ocsp_fetch, rim_fetch
from network.services.collateral_revocation import crl_ingest, ocsp_ingest
from network.services.collateral_rims import rim_ingest
from network.services.collateral_store import collateral_at, collateral_forget
from network.tasks import collateral_tick
from tests.network.collateral import (
    AUTHORITY,
    CHAIN,
    DAY,
    GPU,
    HOUR,
    TRUST,
    Server,
    answer,
    crl,
    rim_json,
    serve,
)

pytestmark = pytest.mark.django_db

DRIVER, DRIVER_XML = driver_manifest(AUTHORITY, HOPPER)
KEY_COMPROMISE = x509.ReasonFlags.key_compromise


@pytest.fixture
def now() -> datetime:
    """A whole second: the precision of these documents."""
    return clock.now().replace(microsecond=0)


@pytest.fixture
def known(now: datetime) -> None:
    """The device's chain is known here."""
    collateral_forget()
    certificates_forget()
    assert device_chain_note(GPU.certificate_chain, trust=TRUST, at=now) == 4


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as played:
        yield played


def refused(call: Any, *args: Any, **options: Any) -> tuple[str, Any]:
    """The refusal's code, and the verifier's reason where there is one."""
    with pytest.raises(NetworkError) as error:
        call(*args, **options)
    return error.value.code, error.value.data.get("reason")


def states(at: datetime, gpu: EmulatedGpu = GPU) -> list[str]:
    """What the verifier makes of what is stored, for the leaf and the four below the root."""
    evidence = gpu.evidence(bytes(32))
    found = collateral_at([evidence], trust=TRUST, caches=Caches(), at=at)
    certificates = found.chains[0][0].certificates
    result = chain_revocation(certificates, material=found.revocation, now=at)
    return [state.state.value for state in result.states]


# --- Taking in -----------------------------------------------------------------------------


def test_an_answer_counts_from_when_it_was_received(known: None, now: datetime) -> None:
    assert states(now) == ["not_checked"] * 4
    done = ocsp_ingest(answer(at=now), source="test", at=now)
    assert done.is_new
    assert not ocsp_ingest(answer(at=now), source="test", at=now).is_new
    assert OcspResponse.objects.get().state == "good"
    assert states(now) == ["not_checked", "good", "not_checked", "not_checked"]
    # A report that came before is judged by what was known then.
    assert states(now - HOUR) == ["not_checked"] * 4
    assert states(now + 2 * DAY) == ["not_checked"] * 4


def test_an_older_answer_serves_an_older_report(known: None, now: datetime) -> None:
    ocsp_ingest(answer(at=now), source="test", at=now)
    later = now + 2 * HOUR
    ocsp_ingest(answer(at=later, revoked=RevokedEntry(later)), source="test", at=later)
    assert states(later)[1] == "revoked"
    assert states(now + HOUR)[1] == "good"
    # And back again: nothing in memory was spoilt by it.
    assert states(later)[1] == "revoked"


def test_a_revocation_is_final_and_nobody_asks_again(known: None, now: datetime) -> None:
    ocsp_ingest(answer(at=now, revoked=RevokedEntry(now, KEY_COMPROMISE)), source="t", at=now)
    row = OcspResponse.objects.get()
    assert (row.state, row.reason) == ("revoked", "keyCompromise")
    ocsp_ingest(answer(at=now + HOUR), source="t", at=now + HOUR)
    collateral_forget()
    assert states(now + 2 * HOUR)[1] == "revoked"
    due = certificates_due(at=now + 100 * DAY, limit=10)
    assert ChainCertificate.objects.get(is_device=True).pk not in [row.pk for row in due]


def test_a_list_covers_the_authorities_below_it(known: None, now: datetime) -> None:
    assert crl_ingest(crl(1, at=now), source="t", at=now).is_new
    assert not crl_ingest(crl(1, at=now), source="t", at=now).is_new
    assert states(now) == ["not_checked", "not_checked", "good", "not_checked"]
    gone = {CHAIN[2].serial_number: RevokedEntry(now, KEY_COMPROMISE)}
    crl_ingest(crl(1, at=now + HOUR, revoked=gone), source="t", at=now + HOUR)
    assert states(now + HOUR)[2] == "revoked"
    assert states(now + HOUR - timedelta(seconds=1))[2] == "good"


def test_two_devices_have_each_their_own_answer(known: None, now: datetime) -> None:
    other = EmulatedGpu(AUTHORITY, "card 1")
    assert device_chain_note(other.certificate_chain, trust=TRUST, at=now) == 1
    ocsp_ingest(answer(at=now, revoked=RevokedEntry(now)), source="t", at=now)
    assert states(now)[1] == "revoked"
    assert states(now, other)[1] == "not_checked"


def test_what_is_in_memory_needs_one_query(
    known: None, now: datetime, django_assert_num_queries: Any
) -> None:
    ocsp_ingest(answer(at=now), source="t", at=now)
    evidence, caches = [GPU.evidence(bytes(32))], Caches()
    collateral_at(evidence, trust=TRUST, caches=caches, at=now)
    with django_assert_num_queries(1):
        collateral_at(evidence, trust=TRUST, caches=caches, at=now)


def test_the_revoked_signer_of_a_manifest_takes_it_away(known: None, now: datetime) -> None:
    rim_ingest(DRIVER_XML, rim_id=DRIVER, trust=TRUST, source="t", at=now)
    chain = [issuer.certificate for issuer in AUTHORITY.rim_chain]
    middle = {chain[1].serial_number: RevokedEntry(now, KEY_COMPROMISE)}
    list_ = crl_of(AUTHORITY, now, middle)
    assert crl_ingest(list_, source="t", at=now).withdrawn == 1
    rim = Rim.objects.get()
    assert rim.withdrawn_at is not None
    assert "revoked" in rim.withdrawn_reason


def crl_of(authority: EmulatorAuthority, at: datetime, revoked: Any) -> bytes:
    """A list by the authority above the lowest of manifests."""
    from network.attestation.emulator.revocation import crl_issue

    return crl_issue(authority.rim_chain[2], number=1, this_update=at, revoked=revoked)


# --- Refusals ------------------------------------------------------------------------------


def test_an_answer_that_must_not_be_used_is_refused(known: None, now: datetime) -> None:
    good = answer(at=now)
    flipped = bytearray(good)
    flipped[-1] ^= 1
    stranger = EmulatorAuthority.from_seed("a stranger")
    foreign = EmulatedResponder(stranger)
    unauthorized = ocsp.OCSPResponseBuilder.build_unsuccessful(
        ocsp.OCSPResponseStatus.UNAUTHORIZED
    ).public_bytes(Encoding.DER)
    try_later = ocsp.OCSPResponseBuilder.build_unsuccessful(
        ocsp.OCSPResponseStatus.TRY_LATER
    ).public_bytes(Encoding.DER)
    malformed = "revocation.malformed"
    for der, at, expected in (
        (b"", now, (malformed, "der")),
        (b"garbage", now, (malformed, "der")),
        (good[:-7], now, (malformed, "der")),
        (bytes(64 * 1024 + 1), now, (malformed, "size")),
        (bytes(flipped), now, (malformed, "responder")),
        (unauthorized, now, (malformed, "status.unauthorized")),
        (try_later, now, (malformed, "status.try_later")),
        (answer(at=now + HOUR), now, (malformed, "not_yet")),
        (good, now + 2 * DAY, ("revocation.stale", None)),
        (foreign.answer(b"x", now=now), now, (malformed, "status.malformed_request")),
    ):
        assert refused(ocsp_ingest, der, source="t", at=at) == expected
    assert not OcspResponse.objects.exists()


def test_an_answer_about_an_unknown_certificate_is_refused(known: None, now: datetime) -> None:
    other = EmulatedGpu(AUTHORITY, "never seen")
    chain = x509.load_pem_x509_certificates(other.certificate_chain)
    assert refused(ocsp_ingest, answer(at=now, chain=chain), source="t", at=now) == (
        "certificate_unknown",
        None,
    )
    # The right serial number under another authority is no answer either.
    about = ChainCertificate.objects.get(is_device=True)
    found = refused(ocsp_ingest, answer(2, at=now), source="t", at=now, about=about)
    assert found == ("revocation.malformed", "cert_id")


def test_a_list_that_must_not_be_used_is_refused(known: None, now: datetime) -> None:
    good = crl(1, at=now)
    flipped = bytearray(good)
    flipped[-1] ^= 1
    stranger = EmulatorAuthority.from_seed("a stranger")
    delta = crl(1, at=now, extensions=[(x509.DeltaCRLIndicator(1), True)])
    malformed = "revocation.malformed"
    for der, at, expected in (
        (b"garbage", now, (malformed, "der")),
        (bytes(1024 * 1024 + 1), now, (malformed, "size")),
        (bytes(flipped), now, (malformed, "signature")),
        (delta, now, (malformed, "delta")),
        # The stranger's authorities have the same names and other keys.
        (crl(1, at=now, authority=stranger), now, (malformed, "signature")),
        (crl(1, at=now + HOUR), now, (malformed, "not_yet")),
        (good, now + 31 * DAY, ("revocation.stale", None)),
    ):
        assert refused(crl_ingest, der, source="t", at=at) == expected
    assert not Crl.objects.exists()


def test_a_list_of_an_unknown_issuer_is_refused(now: datetime, db: None) -> None:
    assert refused(crl_ingest, crl(1, at=now), source="t", at=now) == ("issuer_unknown", None)


def test_a_chain_without_a_pinned_root_is_refused(now: datetime, db: None) -> None:
    nvidia = TrustAnchors.nvidia()
    for pem, trust in ((GPU.certificate_chain, nvidia), (b"no chain", TRUST)):
        assert refused(device_chain_note, pem, trust=trust, at=now) == ("chain_refused", None)
    assert not ChainCertificate.objects.exists()


def test_bytes_changed_in_the_database_are_not_used(
    known: None, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    ocsp_ingest(answer(at=now), source="t", at=now)
    OcspResponse.objects.update(der=answer(at=now - HOUR))
    assert states(now) == ["not_checked"] * 4
    assert "not those taken in" in caplog.text


# --- Fetching ------------------------------------------------------------------------------


def respond(revoked: dict[int, RevokedEntry], at: datetime) -> Any:
    """The emulator's responder behind a real HTTP server."""
    responder = EmulatedResponder(AUTHORITY, revoked)

    def write(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        der = responder.answer(body, now=at)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/ocsp-response")
        handler.send_header("Content-Length", str(len(der)))
        handler.end_headers()
        handler.wfile.write(der)

    return write


def ask(now: datetime) -> Any:
    with fetch_client() as client:
        due = certificates_due(at=now, limit=100)
        return ocsp_fetch(due, client=client, at=now, budget_s=30)


def test_asks_about_every_certificate_below_the_root(
    known: None, now: datetime, server: Server, settings: Any
) -> None:
    settings.EMULATOR_ROOT_DIR = Path("somewhere")
    settings.OCSP_URL = f"{server.url}/ocsp"
    server.answers["/ocsp"] = respond({}, now)
    done = ask(now)
    assert (done.asked, done.answered, done.reasons) == (3, 3, {})
    assert states(now) == ["not_checked", "good", "good", "good"]
    requests = [ocsp.load_der_ocsp_request(body) for _, _, body in server.requests]
    nonces = {request.extensions[0].value.nonce for request in requests}
    assert len(nonces) == 3
    # Asked again after half of the answer's life and not before.
    assert ask(now + HOUR).asked == 0
    assert ask(now + 12 * HOUR).asked == 3
    # Emulated certificates are asked about nowhere else.
    settings.EMULATOR_ROOT_DIR = None
    assert ask(now + 40 * DAY).asked == 0


def test_without_a_nonce_behind_a_cache(
    known: None, now: datetime, server: Server, settings: Any
) -> None:
    settings.EMULATOR_ROOT_DIR, settings.OCSP_NONCE = Path("somewhere"), False
    settings.OCSP_URL = f"{server.url}/ocsp"
    server.answers["/ocsp"] = respond({}, now)
    assert ask(now).answered == 3
    request = ocsp.load_der_ocsp_request(server.requests[0][2])
    assert len(request.extensions) == 0


def test_an_answer_to_another_question_is_not_taken(
    known: None, now: datetime, server: Server, settings: Any
) -> None:
    settings.EMULATOR_ROOT_DIR = Path("somewhere")
    settings.OCSP_URL = f"{server.url}/ocsp"
    server.says("/ocsp", answer(at=now))
    done = ask(now)
    # The one that it is about is answered: a responder may leave the nonce out.
    assert (done.asked, done.answered, done.reasons) == (3, 1, {"cert_id": 2})


@pytest.mark.parametrize(
    ("status", "body", "headers", "why"),
    [
        (500, b"", {}, "fetch_status"),
        (302, b"", {"Location": "https://elsewhere.example/"}, "fetch_status"),
        (200, b"<html>login</html>", {}, "der"),
        (200, bytes(256 * 1024 + 1), {}, "fetch_too_large"),
        (200, b"", {}, "der"),
    ],
)
def test_a_bad_responder_is_noted_and_asked_later(
    known: None,
    now: datetime,
    server: Server,
    settings: Any,
    status: int,
    body: bytes,
    headers: dict[str, str],
    why: str,
) -> None:
    settings.EMULATOR_ROOT_DIR = Path("somewhere")
    settings.OCSP_URL = f"{server.url}/ocsp"
    server.says("/ocsp", body, status=status, **headers)
    done = ask(now)
    assert (done.answered, done.reasons) == (0, {why: 3})
    assert states(now) == ["not_checked"] * 4
    row = ChainCertificate.objects.filter(is_device=True).get()
    assert row.ocsp_failures == 1
    assert row.ocsp_error.startswith(why)
    assert ask(now).asked == 0
    assert ask(now + timedelta(minutes=5)).asked == 3
    assert ask(now + timedelta(minutes=10)).asked == 0


def test_a_responder_that_is_away_or_slow(
    known: None,
    now: datetime,
    server: Server,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.EMULATOR_ROOT_DIR = Path("somewhere")
    settings.OCSP_URL = "http://127.0.0.1:1/ocsp"
    assert ask(now).reasons == {"fetch_failed": 3}

    def drip(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _number in range(20):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    # Each byte comes in time; all of them together do not.
    monkeypatch.setattr("network.services.collateral_fetch.TIMEOUT_S", 0.3)
    settings.OCSP_URL = f"{server.url}/drip"
    server.answers["/drip"] = drip
    assert ask(now + DAY).reasons == {"fetch_too_slow": 3}


@pytest.mark.parametrize(
    "url",
    [
        "http://ocsp.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "https://user:secret@ocsp.example/",
        "https:///nowhere",
        "nonsense",
    ],
)
def test_only_https_is_asked(known: None, now: datetime, settings: Any, url: str) -> None:
    settings.EMULATOR_ROOT_DIR = Path("somewhere")
    settings.OCSP_URL = url
    assert ask(now).reasons == {"fetch_address": 3}


def test_loopback_is_for_tests_alone(
    known: None, now: datetime, server: Server, settings: Any
) -> None:
    settings.EMULATOR_ROOT_DIR = Path("somewhere")
    settings.COLLATERAL_HTTP_LOOPBACK = False
    settings.OCSP_URL = f"{server.url}/ocsp"
    assert ask(now).reasons == {"fetch_address": 3}
    assert server.requests == []


def fetch_rim(server: Server, settings: Any, now: datetime) -> Any:
    settings.RIM_URL = f"{server.url}/v1/rim/"
    with fetch_client() as client:
        return rim_fetch(DRIVER, client=client, trust=TRUST, at=now, as_of=None)


def test_a_manifest_is_fetched_by_its_id(
    now: datetime, server: Server, settings: Any, db: None
) -> None:
    server.says(f"/v1/rim/{DRIVER}", rim_json(DRIVER, DRIVER_XML))
    assert fetch_rim(server, settings, now).is_new
    assert Rim.objects.get().source == f"{server.url}/v1/rim/{DRIVER}"
    assert not fetch_rim(server, settings, now).is_new


def rim_answers() -> list[tuple[bytes, str]]:
    other = driver_manifest(EmulatorAuthority.from_seed("a stranger"), HOPPER)[1]
    changed = bytearray(DRIVER_XML)
    changed[len(changed) // 2] ^= 1
    return [
        (b"", "rim_service"),
        (b"<html></html>", "rim_service"),
        (b"[]", "rim_service"),
        (b'{"id": 1}', "rim_service"),
        (b"[" * 100_000, "rim_service"),
        (rim_json(DRIVER, DRIVER_XML, rim="!!!"), "rim_service"),
        (rim_json(DRIVER, DRIVER_XML, rim=7), "rim_service"),
        (rim_json("NV_GPU_DRIVER_GH100_1", DRIVER_XML), "rim_service"),
        (rim_json(DRIVER, DRIVER_XML, sha256="00" * 32), "rim_service"),
        (rim_json(DRIVER, DRIVER_XML, sha256=7), "rim_service"),
        (rim_json(DRIVER, other), "rim.chain"),
        (rim_json(DRIVER, bytes(changed)), "rim."),
        (bytes(20 * 1024 * 1024), "fetch_too_large"),
    ]


@pytest.mark.parametrize("number", range(len(rim_answers())))
def test_a_bad_answer_brings_no_manifest(
    now: datetime, server: Server, settings: Any, db: None, number: int
) -> None:
    body, code = rim_answers()[number]
    server.says(f"/v1/rim/{DRIVER}", body)
    assert refused(fetch_rim, server, settings, now)[0].startswith(code)
    assert not Rim.objects.exists()


def test_an_id_cannot_lead_elsewhere(
    now: datetime, server: Server, settings: Any, db: None
) -> None:
    settings.RIM_URL = f"{server.url}/v1/rim"
    with fetch_client() as client:
        for rim_id in ("../../admin", "a?b=c", "x#y", "//elsewhere.example/x"):
            code = refused(rim_fetch, rim_id, client=client, trust=TRUST, at=now, as_of=None)[0]
            assert code == "fetch_status"
    assert all(
        path.startswith("/v1/rim/") and "/" not in path[8:] for _, path, _ in server.requests
    )


# --- The tick, the commands, the figures ---------------------------------------------------


def test_the_tick_asks_only_where_an_address_is_set(
    known: None, server: Server, settings: Any
) -> None:
    now = clock.now().replace(microsecond=0)
    collateral_tick()
    assert server.requests == []
    settings.EMULATOR_ROOT_DIR = Path("somewhere")
    settings.RIM_DIR = None
    settings.OCSP_URL = f"{server.url}/ocsp"
    server.answers["/ocsp"] = respond({CHAIN[1].serial_number: RevokedEntry(now)}, now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("network.services.collateral_directories.trust_anchors", lambda: TRUST)
        collateral_tick()
    assert len(server.requests) == 3
    assert states(clock.now())[1] == "revoked"


def test_the_tick_takes_files_in_and_tells_of_trouble_once_a_day(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, db: None
) -> None:
    cache.clear()
    settings.RIM_DIR = tmp_path
    (tmp_path / f"{DRIVER}.swidtag").write_bytes(DRIVER_XML)
    (tmp_path / "EMULATED_NV_GPU_DRIVER_GH100_1.0.swidtag").write_bytes(DRIVER_XML)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("network.services.collateral_directories.trust_anchors", lambda: TRUST)
        for _ in range(2):
            collateral_tick()
    assert Rim.objects.get().rim_id == DRIVER
    assert caplog.text.count("rim_id_mismatch") == 1


def run(capsys: pytest.CaptureFixture[str], *args: Any) -> tuple[int, str]:
    """Exit code and everything that a command printed."""
    try:
        call_command(*[str(arg) for arg in args])
        code, said = 0, ""
    except CommandError as error:
        code, said = error.returncode, str(error)
    found = capsys.readouterr()
    return code, found.out + found.err + said


def test_everything_from_files(
    now: datetime,
    settings: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    db: None,
) -> None:
    collateral_forget()
    certificates_forget()
    monkeypatch.setattr("network.management.commands.ocsp_fetch.trust_anchors", lambda: TRUST)
    (tmp_path / "chain.pem").write_bytes(GPU.certificate_chain)
    (tmp_path / "device.ocsp").write_bytes(answer(at=now))
    (tmp_path / "l1.crl").write_bytes(crl(1, at=now))
    (tmp_path / "l0.crl").write_bytes(crl(2, at=now))
    code, text = run(capsys, "crl_import", tmp_path)
    assert code == 1
    assert "issuer_unknown" in text
    chain = tmp_path / "chain.pem"
    assert run(capsys, "ocsp_fetch", "--chain", chain, "--from", tmp_path)[0] == 0
    assert run(capsys, "crl_import", tmp_path)[0] == 0
    assert states(clock.now()) == ["not_checked", "good", "good", "good"]
    (tmp_path / "bad.ocsp").write_bytes(b"x")
    code, text = run(capsys, "ocsp_fetch", "--from", tmp_path)
    assert code == 1
    assert "revocation.malformed" in text
    assert run(capsys, "ocsp_fetch")[0] == 1
    assert run(capsys, "crl_import", tmp_path / "absent.crl")[0] == 1
    assert run(capsys, "rim_fetch")[0] == 0
    assert "not_configured" in run(capsys, "rim_fetch", DRIVER)[1]


def test_figures(known: None, now: datetime) -> None:
    assert revocation_figures(at=now).devices == {"not_checked": 1}
    assert [item.state for item in authority_states(at=now)] == ["not_checked"] * 2
    ocsp_ingest(answer(at=now - HOUR), source="t", at=now)
    crl_ingest(crl(2, at=now), source="t", at=now)
    figures = revocation_figures(at=now)
    assert (figures.devices, figures.oldest_s) == ({"good": 1}, 3600)
    found = {item.source: item for item in authority_states(at=now + HOUR)}
    assert found["crl"].state == "good"
    assert found["crl"].age_s == 3600
    assert found[""].state == "not_checked"
    assert revocation_figures(at=now + 2 * DAY).devices == {"stale": 1}
