"""Signing keys on disk: which one signs, which are published, and what a bad file does."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.test import Client
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from chain.clock import clock_override
from network.ear_keys import TIME_FORMAT, EarKeyInvalid
from network.verification import ear_jwks, ear_keys_check, ear_sign

ROOT = Path(__file__).resolve().parents[2]
DAY = timedelta(days=1)
#: Any moment will do: the clock is set to it.
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def pem(curve: ec.EllipticCurve | None = None) -> bytes:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def name(begin: datetime, end: datetime | None = None) -> str:
    until = "" if end is None else f"--{end.strftime(TIME_FORMAT)}"
    return f"{begin.strftime(TIME_FORMAT)}{until}.pem"


def kid(file: Path) -> str:
    return str(ECKey.import_key(file.read_bytes()).thumbprint())


@pytest.fixture
def ring(tmp_path: Path, settings: Any) -> Path:
    """An empty directory of keys that the service is told to use."""
    settings.EAR_KEY_PATH = tmp_path
    return tmp_path


def make(ring: Path, begin: datetime, end: datetime | None = None) -> Path:
    file = ring / name(begin, end)
    file.write_bytes(pem())
    return file


def signed_with(at: datetime = NOW) -> str | None:
    """The kid that a token signed at this time names, after checking it by the published set."""
    with clock_override(lambda: at):
        token = ear_sign({"sub": "test"})
        keys = ear_jwks()
    if token == "":
        return None
    decoded = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"])
    assert decoded.header["typ"] == "eat+jwt"
    return str(decoded.header["kid"])


def published(at: datetime = NOW) -> list[str]:
    with clock_override(lambda: at):
        return [key["kid"] for key in ear_jwks()["keys"]]


def test_a_single_file_is_one_key_for_ever(tmp_path: Path, settings: Any) -> None:
    settings.EAR_KEY_PATH = tmp_path / "ear.pem"
    settings.EAR_KEY_PATH.write_bytes(pem())
    first = kid(settings.EAR_KEY_PATH)
    assert signed_with() == first
    assert published() == [first]
    ear_keys_check()
    # Replaced in place, as a deployment without a directory has to: no restart is needed.
    replacement = tmp_path / "other.pem"
    replacement.write_bytes(pem())
    os.replace(replacement, settings.EAR_KEY_PATH)
    assert signed_with() == kid(settings.EAR_KEY_PATH) != first


def test_the_newest_key_in_force_signs_and_the_others_are_published(ring: Path) -> None:
    old, new, later = make(ring, NOW - 9 * DAY), make(ring, NOW - DAY), make(ring, NOW + DAY)
    assert signed_with() == kid(new)
    assert published() == [kid(later), kid(new), kid(old)]
    assert signed_with(NOW - 2 * DAY) == kid(old)
    assert signed_with(NOW + DAY) == kid(later)


def test_a_key_is_published_until_its_last_token_has_run_out(ring: Path) -> None:
    old, new = make(ring, NOW - 9 * DAY, NOW), make(ring, NOW - DAY)
    os.replace(new, new := ring / name(NOW - timedelta(minutes=5)))
    assert signed_with(NOW - timedelta(minutes=5, seconds=1)) == kid(old)
    assert signed_with(NOW - timedelta(minutes=5)) == kid(new)
    assert published(NOW - timedelta(seconds=1)) == [kid(new), kid(old)]
    assert published(NOW) == [kid(new)]


def test_a_key_about_to_be_retired_signs_nothing_it_could_not_vouch_for(ring: Path) -> None:
    only = make(ring, NOW - DAY, NOW + timedelta(seconds=300))
    assert signed_with(NOW - timedelta(seconds=1)) == kid(only)
    assert signed_with(NOW) is None
    assert published(NOW) == [kid(only)]


def test_keys_are_read_again_when_the_directory_changes(ring: Path) -> None:
    first = make(ring, NOW - 9 * DAY)
    assert signed_with() == kid(first)
    second = make(ring, NOW - DAY)
    assert signed_with() == kid(second)
    retired = ring / name(NOW - DAY, NOW)
    second_kid = kid(second)
    os.replace(second, retired)
    assert signed_with() == kid(first)
    assert second_kid not in published()
    # Taken away at once, as after a theft.
    first.unlink()
    assert (signed_with(), published()) == (None, [])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (name(NOW - DAY), b"no key"),
        (name(NOW - DAY), b""),
        (name(NOW - DAY), pem(ec.SECP384R1())),
        ("current.pem", pem()),
        ("20261123.pem", pem()),
        (name(NOW, NOW), pem()),
        (name(NOW, NOW - DAY), pem()),
    ],
    ids=["garbage", "empty", "curve", "name", "day", "no time", "ends first"],
)
def test_a_bad_file_is_told_and_stops_the_start_only_where_it_is_the_only_one(
    ring: Path, file: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    good = make(ring, NOW - 9 * DAY)
    (ring / file).write_bytes(content)
    assert signed_with() == kid(good)
    assert file in caplog.text
    with clock_override(lambda: NOW):
        ear_keys_check()
    good.unlink()
    with clock_override(lambda: NOW), pytest.raises(EarKeyInvalid, match=file):
        ear_keys_check()


def test_a_public_key_and_a_second_copy_are_faults(
    ring: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = make(ring, NOW - 9 * DAY)
    copy = ring / name(NOW - DAY)
    copy.write_bytes(good.read_bytes())
    assert published() == [kid(good)]
    assert "another file holds too" in caplog.text
    public = ECKey.import_key(good.read_bytes()).as_pem(private=False)
    copy.write_bytes(public)
    assert published() == [kid(good)]
    assert "no P-256 private key" in caplog.text


def test_other_files_are_let_be(ring: Path) -> None:
    only = make(ring, NOW - DAY)
    (ring / "README").write_text("Keys.")
    (ring / ".half-written.pem").write_bytes(b"")
    assert published() == [kid(only)]
    with clock_override(lambda: NOW):
        ear_keys_check()


@pytest.mark.parametrize("begin", [None, NOW + DAY], ids=["empty", "not yet"])
def test_a_directory_without_a_key_in_force_stops_the_start(
    ring: Path, begin: datetime | None
) -> None:
    if begin is not None:
        make(ring, begin)
    assert signed_with() is None
    with clock_override(lambda: NOW), pytest.raises(EarKeyInvalid, match="no "):
        ear_keys_check()


@pytest.mark.parametrize("path", [None, Path("/nonexistent/ear.pem")])
def test_no_key_at_all_signs_nothing(settings: Any, path: Path | None) -> None:
    settings.EAR_KEY_PATH = path
    assert signed_with() is None
    assert published() == []
    with pytest.raises(EarKeyInvalid):
        ear_keys_check()


def test_every_key_is_served_under_its_thumbprint(ring: Path, db: None) -> None:
    make(ring, NOW - 9 * DAY)
    make(ring, NOW - DAY)
    with clock_override(lambda: NOW):
        served = Client().get("/api/v1/network/jwks/").json()["keys"]
    assert len(served) == 2
    for key in served:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert ECKey.import_key(key).thumbprint() == key["kid"]


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """Load the server's application as a production process does."""
    base = {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "for-this-test-only-4fJ7qWm2Zr8Xc1Vt5Yb9Nk3Hd6Gs0Pa7Le2Ui5Ro8",
        "SITE_URL": "https://dao.example",
    }
    return subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        cwd=ROOT,
        env=base | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_production_server_does_not_start_without_a_key(tmp_path: Path) -> None:
    refused = start()
    assert refused.returncode != 0
    assert "ALTHING_EAR_KEY" in refused.stderr
    refused = start(ALTHING_EAR_KEY=str(tmp_path))
    assert refused.returncode != 0
    assert "no usable key" in refused.stderr
    (tmp_path / name(datetime(2020, 1, 1, tzinfo=UTC))).write_bytes(pem())
    started = start(ALTHING_EAR_KEY=str(tmp_path))
    assert started.returncode == 0, started.stderr
