"""Where the demo keeps its things and what it tells its processes."""

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
ACCOUNTS = 60
#: Blocks after which the local chain's block counts as final (ONCE reorgs above it).
FINALITY_DEPTH = 2
PREFERRED_PORT = 8000


@dataclass(frozen=True)
class DemoFolder:
    """The files of one demo; everything in it can be deleted and is made anew."""

    root: Path

    @property
    def deployment(self) -> Path:
        return self.root / "deployment.json"

    @property
    def chain_state(self) -> Path:
        return self.root / "anvil-state.json"

    @property
    def keystore(self) -> Path:
        return self.root / "keeper.json"

    @property
    def passphrase(self) -> Path:
        return self.root / "keeper.passphrase"

    @property
    def attestor_keystore(self) -> Path:
        return self.root / "attestor.json"

    @property
    def attestor_passphrase(self) -> Path:
        return self.root / "attestor.passphrase"

    @property
    def ear_key(self) -> Path:
        return self.root / "ear-key.pem"

    @property
    def emulator(self) -> Path:
        return self.root / "emulator"

    @property
    def nodes(self) -> Path:
        return self.root / "nodes"

    @property
    def console(self) -> Path:
        """The password and the second factor of the console's user."""
        return self.root / "console.txt"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def complete(self) -> Path:
        """Written last: without it the folder is a torso and is made anew."""
        return self.root / "complete"

    def secret_key(self) -> str:
        path = self.root / "secret-key"
        if not path.exists():
            write_secret(path, secrets.token_urlsafe(64))
        return path.read_text(encoding="utf-8")


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def web_port() -> int:
    """The usual port when it is free, else any free one."""
    for port in (PREFERRED_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("No free port on loopback.")


def environment(folder: DemoFolder, *, port: int) -> dict[str, str]:
    """The variables every process of the demo gets; the engines' addresses come on top."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DEMO_MODE": "1",
        "SITE_URL": f"http://localhost:{port}",
        "SECRET_KEY": folder.secret_key(),
        "ALTHING_DEPLOYMENT": str(folder.deployment),
        "CHAIN_ID": "31337",
        "CHAIN_FINALITY": str(FINALITY_DEPTH),
        "ALTHING_KEEPER_KEYSTORE": str(folder.keystore),
        "ALTHING_KEEPER_PASSPHRASE_FILE": str(folder.passphrase),
        "ALTHING_ATTESTOR_KEYSTORE": str(folder.attestor_keystore),
        "ALTHING_ATTESTOR_PASSPHRASE_FILE": str(folder.attestor_passphrase),
        "ALTHING_EAR_KEY": str(folder.ear_key),
        "ALTHING_EMULATOR_ROOT": str(folder.emulator),
        # A newcomer's round within seconds, and fifty emulated GPUs on two cores.
        "ALTHING_COMPUTE_NOTICE_S": "10",
        "ALTHING_COMPUTE_EMULATED_N": "256",
        "LOG_LEVEL": "WARNING",
    }
