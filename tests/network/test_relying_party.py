"""The documented check of a token, run exactly as printed, by a Python that has none of this."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from chain import clock
from network.attestation import Appraisal, Tier, ear_claims
from network.verification import ear_jwks, ear_sign
from tests.network.attestation.samples import NONCE, STRICT, Judge, gpu

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verifying-a-verdict.md"
ISSUER = "https://althing.example"


def script_write(folder: Path) -> Path:
    """Write the page's one Python block to a file."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file = folder / "check_verdict.py"
    file.write_text(source, "utf-8")
    return file


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return script_write(tmp_path)


def run(script: Path, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it where Django cannot be imported."""
    file = script.with_name("token")
    file.write_text(token + "\n", "ascii")
    alone = (
        "import runpy, sys; sys.modules['django'] = sys.modules['network'] = None; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", alone, str(script), str(file), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=script.parent,
    )


@pytest.fixture
def keys_url(settings: Any, ear_key_file: Path) -> Iterator[str]:
    """The service's public keys, served over HTTP."""
    settings.EAR_KEY_PATH = ear_key_file

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(ear_jwks()).encode())

        def log_message(self, *arguments: Any) -> None:
            """Nothing of interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def claims(appraisal: Appraisal, *, age_s: int = 0, **changes: Any) -> dict[str, Any]:
    """The claims of a result made ``age_s`` seconds ago."""
    now_s = clock.now_s() - age_s
    made = ear_claims(
        appraisal,
        policy=STRICT,
        issuer=ISSUER,
        build="althing/1",
        nonce=NONCE,
        policy_digest=b"\x01" * 32,
        verdict_hash=b"\x02" * 32,
        token_id="verdict-1",
        now_s=now_s,
        evidence_s=now_s - 60,
        fresh_until_s=now_s + 2640,
    )
    return made | changes


def accepted_by(judge: Judge | None = None) -> Appraisal:
    return (judge or Judge())(gpu("a").evidence(NONCE), gpu("b").evidence(NONCE))


def test_a_good_token_is_accepted(script: Path, keys_url: str) -> None:
    token = ear_sign(claims(accepted_by()))
    found = run(script, token, keys_url, ISSUER, "--emulated")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines() == [
        "gpu-0 affirming revocation.unknown",
        "gpu-1 affirming revocation.unknown",
        "node affirming",
        "accepted",
    ]


def test_a_kept_key_set_needs_no_network(script: Path, keys_url: str, tmp_path: Path) -> None:
    kept = tmp_path / "jwks.json"
    kept.write_text(json.dumps(ear_jwks()))
    token = ear_sign(claims(accepted_by()))
    assert run(script, token, kept.as_uri(), ISSUER, "--emulated").returncode == 0


def part(data: object) -> str:
    text = json.dumps(data).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def tampered(token: str, how: str) -> str:
    """The token with one thing changed by somebody who has no key of the service."""
    head, body, signature = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    content = json.loads(base64.urlsafe_b64decode(body + "=="))
    if how == "claim":
        content["althing.emulated"] = False
        return f"{head}.{part(content)}.{signature}"
    if how == "signature":
        raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
        raw[40] ^= 1
        return f"{head}.{body}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"
    if how == "unsigned":
        return f"{part(header | {'alg': 'none'})}.{body}."
    stranger = ECKey.generate_key("P-256")
    if how == "stranger":
        return jwt.encode(header | {"kid": stranger.thumbprint()}, content, stranger)
    # The service's name on somebody else's key.
    return jwt.encode(header, content, stranger)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("claim", "the signature is wrong"),
        ("signature", "the signature is wrong"),
        ("unsigned", "no ES256 token"),
        ("stranger", "no key of the service"),
        ("name", "the signature is wrong"),
    ],
)
def test_a_tampered_token_is_refused(script: Path, keys_url: str, how: str, words: str) -> None:
    token = tampered(ear_sign(claims(accepted_by())), how)
    found = run(script, token, keys_url, ISSUER, "--emulated")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("refused: ")
    assert words in found.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"age_s": 301}, "has run out"),
        ({"age_s": -120}, "from the future"),
        ({"iss": "https://elsewhere.example"}, "another service"),
        ({"eat_profile": "tag:elsewhere,2026:ear/1"}, "another kind"),
    ],
    ids=["old", "future", "issuer", "profile"],
)
def test_a_token_for_something_else_is_refused(
    script: Path, keys_url: str, changes: dict[str, Any], words: str
) -> None:
    token = ear_sign(claims(accepted_by(), **changes))
    found = run(script, token, keys_url, ISSUER, "--emulated")
    assert (found.returncode, found.stdout) == (1, "")
    assert words in found.stderr


def test_emulated_hardware_is_refused_unless_asked_for(script: Path, keys_url: str) -> None:
    token = ear_sign(claims(accepted_by()))
    found = run(script, token, keys_url, ISSUER)
    assert found.returncode == 1
    assert "emulated" in found.stderr


def test_a_node_refused_as_a_whole_is_refused(script: Path, keys_url: str) -> None:
    judge = Judge(policy=replace(STRICT, required_tiers={"h100_80g": Tier.T5}))
    token = ear_sign(claims(accepted_by(judge)))
    found = run(script, token, keys_url, ISSUER, "--emulated")
    assert found.returncode == 1
    assert "node contraindicated tier.required" in found.stdout
    assert "accepted" not in found.stdout


def test_the_check_stays_short(script: Path) -> None:
    source = script.read_text("utf-8")
    lines = [line for line in source.splitlines() if line.strip()]
    assert len(lines) <= 40
    assert not re.search(r"^\s*(from|import) (django|network|chain|joserfc)", source, re.MULTILINE)
