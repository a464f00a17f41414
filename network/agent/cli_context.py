"""What the commands of ``althing-node`` share: files, the service, values from the command line."""

from __future__ import annotations

from pathlib import Path

import click

from chain.addresses import AddressInvalid, parse_address
from chain.wallet import Wallet, WalletUnavailable
from network.agent.client import ServiceClient
from network.agent.errors import KeysError
from network.agent.home import Home


class Context:
    """What every command starts from."""

    def __init__(self, home: Home, server: str | None) -> None:
        self.home = home
        self._server = server

    def server(self) -> str | None:
        """The address given, or the one registered with."""
        return self._server or self.home.config_load().server

    def server_needed(self) -> str:
        """The same. Raises KeysError ``server_missing`` where there is none."""
        server = self.server()
        if server is None:
            raise KeysError("server_missing", "Give --server, the service's public address.")
        return server

    def client(self) -> ServiceClient:
        """A client of the service. Raises KeysError ``server_missing|server_invalid``."""
        try:
            client = ServiceClient(self.server_needed())
        except ValueError as error:
            raise KeysError("server_invalid", f"{error}.") from error
        click.get_current_context().call_on_close(client.close)
        return client

    def node_id(self, given: str | None) -> str:
        """The node's id, given or registered with. Raises KeysError ``node_id_missing``."""
        node_id = given or self.home.config_load().node_id
        if node_id is None:
            raise KeysError("node_id_missing", "Give --node-id, or register this node first.")
        return f"0x{bytes_read(node_id, 32, 'node id').hex()}"


def wallet_open(keystore: Path | None, passphrase_file: Path | None) -> Wallet | None:
    """The operator's wallet, or None where no keystore was given."""
    if keystore is None:
        return None
    if passphrase_file is None:
        raise KeysError("passphrase_missing", "--keystore needs --passphrase-file.")
    try:
        return Wallet.open(keystore, passphrase_file)
    except WalletUnavailable as error:
        raise KeysError(error.code, str(error)) from error


def address_read(text: str | None) -> bytes:
    """An operator's address, 20 bytes."""
    if text is None:
        raise KeysError("operator_missing", "Give --operator or --keystore.")
    try:
        return parse_address(text)
    except AddressInvalid as error:
        raise KeysError(error.code, error.detail) from error


def bytes_read(text: str, length: int | None, name: str) -> bytes:
    """Hex from the command line, with or without 0x."""
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if not value or (length is not None and len(value) != length):
        size = f"{length} bytes of hex" if length else "hex"
        raise KeysError("hex_malformed", f"The {name} must be 0x and {size}.")
    return value
