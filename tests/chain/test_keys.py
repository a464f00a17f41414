"""The keystore: opened from files or systemd credentials, refused where others may read it, and
never shown."""

from __future__ import annotations

import json
import logging
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from eth_account import Account

from chain.models import TxIntent
from chain.rpc.client import RpcClient
from chain.sender.keys import AccountKey, KeyUnavailable, key_from_private, key_from_settings
from chain.sender.loop import outbox_run_once
from tests.chain.sending import delegation, key, submit

__all__ = ["delegation", "key"]

PRIVATE = b"\x07" * 31 + b"\x11"
PASSPHRASE = "correct horse battery staple"
#: Every form in which a secret could get out.
SECRETS = (
    PASSPHRASE,
    PRIVATE.hex(),
    str(int.from_bytes(PRIVATE, "big")),
    repr(PRIVATE),
    repr(list(PRIVATE))[1:-1],
)


def write(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


@pytest.fixture
def keystore(tmp_path: Path, settings: Any) -> Path:
    made = Account.encrypt(PRIVATE, PASSPHRASE, kdf="pbkdf2", iterations=1000)
    path = write(tmp_path / "keeper.json", json.dumps(made))
    settings.KEEPER_KEYSTORE = str(path)
    settings.KEEPER_PASSPHRASE_FILE = str(write(tmp_path / "passphrase", f"{PASSPHRASE}\n"))
    return path


def refused() -> KeyUnavailable:
    with pytest.raises(KeyUnavailable) as caught:
        key_from_settings()
    for secret in SECRETS:
        assert secret not in str(caught.value)
    return caught.value


def test_it_opens_with_the_passphrase_of_a_file(keystore: Path) -> None:
    opened = key_from_settings()
    assert opened is not None
    assert f"0x{opened.address.hex()}" == Account.from_key(PRIVATE).address.lower()
    assert key_from_settings() is opened  # scrypt is slow on purpose: once per process


def test_a_changed_file_is_opened_again(keystore: Path, tmp_path: Path) -> None:
    first = key_from_settings()
    made = Account.encrypt(b"\x09" * 32, PASSPHRASE, kdf="pbkdf2", iterations=1000)
    write(keystore, json.dumps(made) + " ")
    second = key_from_settings()
    assert first is not None
    assert second is not None
    assert first.address != second.address


def test_it_opens_with_systemd_credentials(
    keystore: Path, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    write(folder / "keeper-keystore", keystore.read_bytes(), 0o400)
    write(folder / "keeper-passphrase", PASSPHRASE, 0o400)
    settings.KEEPER_KEYSTORE = "credential:keeper-keystore"
    settings.KEEPER_PASSPHRASE_FILE = "credential:keeper-passphrase"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert refused().code == "credential_missing"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert isinstance(key_from_settings(), AccountKey)


@pytest.mark.parametrize("name", ["", "../passphrase", "..", "a/b", "/etc/passwd", "a\0b"])
def test_a_credential_s_name_is_no_path(
    keystore: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    settings.KEEPER_PASSPHRASE_FILE = f"credential:{name}"
    assert refused().code == "credential_missing"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666])
@pytest.mark.parametrize("what", ["keystore", "passphrase"])
def test_a_file_that_everybody_may_read_or_write_is_refused(
    keystore: Path, tmp_path: Path, what: str, mode: int
) -> None:
    path = keystore if what == "keystore" else tmp_path / "passphrase"
    path.chmod(mode)
    error = refused()
    assert error.code == f"{what}_exposed"
    assert f"chmod 600 {path}" in str(error)
    path.chmod(0o640)
    assert key_from_settings() is not None


def bad_files() -> dict[str, tuple[str, str | bytes, str]]:
    made = Account.encrypt(PRIVATE, PASSPHRASE, kdf="pbkdf2", iterations=1000)
    without = {name: value for name, value in made.items() if name != "crypto"}
    odd = made | {"crypto": {**made["crypto"], "kdf": "rot13"}}
    return {
        "wrong passphrase": ("passphrase", "sesame open", "passphrase_wrong"),
        "empty passphrase": ("passphrase", "\n", "passphrase_invalid"),
        "passphrase in no UTF-8": ("passphrase", b"\xff\xfe", "passphrase_invalid"),
        "passphrase without end": ("passphrase", "a" * 5000, "passphrase_invalid"),
        "no JSON": ("keystore", "keystore", "keystore_invalid"),
        "a list": ("keystore", "[]", "keystore_invalid"),
        "another version": ("keystore", json.dumps(made | {"version": 1}), "keystore_invalid"),
        "no crypto": ("keystore", json.dumps(without), "keystore_invalid"),
        "unknown kdf": ("keystore", json.dumps(odd), "keystore_invalid"),
        "a bare key": ("keystore", PRIVATE.hex(), "keystore_invalid"),
        "huge": ("keystore", b"[" * 100_000, "keystore_invalid"),
        "deep": ("keystore", b"[" * 60_000, "keystore_invalid"),
    }


@pytest.mark.parametrize("name", list(bad_files()))
def test_bad_files_say_what_is_wrong(keystore: Path, tmp_path: Path, name: str) -> None:
    what, content, code = bad_files()[name]
    write(keystore if what == "keystore" else tmp_path / "passphrase", content)
    assert refused().code == code


def test_missing_files_and_settings_say_so(keystore: Path, tmp_path: Path, settings: Any) -> None:
    settings.KEEPER_KEYSTORE = str(tmp_path / "nowhere")
    assert refused().code == "keystore_unreadable"
    settings.KEEPER_KEYSTORE = str(keystore)
    settings.KEEPER_PASSPHRASE_FILE = str(tmp_path / "nowhere")
    assert refused().code == "passphrase_unreadable"
    settings.KEEPER_PASSPHRASE_FILE = str(tmp_path)
    assert refused().code in ("passphrase_unreadable", "passphrase_exposed")
    settings.KEEPER_PASSPHRASE_FILE = ""
    assert refused().code == "passphrase_missing"
    settings.KEEPER_SIGNER_URL = "http://127.0.0.1:1"
    assert refused().code == "key_ambiguous"
    settings.KEEPER_SIGNER_URL = settings.KEEPER_KEYSTORE = ""
    assert key_from_settings() is None


# --- nothing gets out -------------------------------------------------------------------


def test_neither_text_nor_pickle_carries_the_key() -> None:
    held = key_from_private(PRIVATE)
    shown = f"{held!r} {held} {vars(type(held))}"
    assert held.address.hex() in repr(held)
    for secret in SECRETS:
        assert secret not in shown
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(held)


def report(error: BaseException) -> str:
    """What Django's error page and mail show of an exception: every frame's variables."""
    reporter = ExceptionReporter(RequestFactory().get("/"), type(error), error, error.__traceback__)
    return reporter.get_traceback_html() + reporter.get_traceback_text()


def test_no_traceback_shows_a_secret(keystore: Path, tmp_path: Path) -> None:
    wrong = write(tmp_path / "passphrase", f"{PASSPHRASE} but wrong")
    with pytest.raises(KeyUnavailable) as caught:
        key_from_settings()
    assert caught.value.__cause__ is None
    seen = [report(caught.value)]
    write(wrong, PASSPHRASE)
    held = key_from_settings()
    assert held is not None
    for bad in ({"nonce": 1}, {"to": "nobody"}, {"type": 2, "data": object()}):
        with pytest.raises(KeyUnavailable) as caught:
            held.sign(bad)
        assert caught.value.code == "sign_failed"
        seen.append(report(caught.value))
    for page in seen:
        assert "KeyUnavailable" in page
        for secret in SECRETS:
            assert secret not in page


@pytest.mark.chain
@pytest.mark.django_db(transaction=True)
def test_logs_tables_and_output_never_hold_a_secret(
    keystore: Path,
    delegation: Any,
    client: RpcClient,
    rpc: Any,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The whole way with a real keystore, at the most talkative level, then every table."""
    caplog.set_level(logging.DEBUG)
    held = key_from_settings()
    assert held is not None
    rpc("anvil_setBalance", f"0x{held.address.hex()}", hex(10**19))
    submit(b"\x11" * 20)
    outbox_run_once()
    outbox_run_once()
    assert TxIntent.objects.get().mined_ok
    passphrase = keystore.parent / "passphrase"
    passphrase.chmod(0o644)
    submit(b"\x22" * 20, idem_key="delegate:2")
    outbox_run_once()
    everything = caplog.text + "".join(capfd.readouterr()) + _every_table()
    assert "passphrase_exposed" in everything
    for secret in SECRETS:
        assert secret not in everything
    assert sys.getsizeof(everything) > 10_000


def _every_table() -> str:
    rows: list[str] = []
    with connection.cursor() as sql:
        for name in connection.introspection.table_names():
            # The names are the database's own.
            sql.execute(f'SELECT t::text FROM "{name}" t')  # noqa: S608
            rows += [row[0] for row in sql.fetchall()]
    return "\n".join(rows)
