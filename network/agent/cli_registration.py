"""``althing-node register`` and ``prove``: on chain with a keystore, or with any wallet by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from chain.addresses import to_checksum
from chain.rpc.client import RpcClient
from chain.rpc.transport import HttpTransport
from network.agent.cli_context import Context, address_read, bytes_read, wallet_open
from network.agent.client import ServiceClient
from network.agent.errors import ChainFault, KeysError
from network.agent.home import Config
from network.agent.registration import (
    Application,
    Contracts,
    Proof,
    Registrar,
    proof_open,
    proof_send,
    register_calldata,
)


@click.command()
@click.option("--operator", help="Operator's address; not needed with --keystore.")
@click.option("--class", "gpu_class", required=True, help="For example h100_80g.")
@click.option("--gpus", type=click.IntRange(1, 128), required=True, help="Number of GPUs.")
@click.option("--region", required=True, help="For example eu-north.")
@click.option("--metadata-uri", default="", help="Where the operator describes the node.")
@click.option("--deployment", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rpc-url", envvar="RPC_URL", help="Ethereum JSON-RPC.")
@click.option("--keystore", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def register(
    context: Context,
    operator: str | None,
    gpu_class: str,
    gpus: int,
    region: str,
    metadata_uri: str,
    deployment: Path | None,
    rpc_url: str | None,
    keystore: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Register this node on chain and prove its key to the service.

    Without --keystore the calldata is printed for a wallet; run "prove" when it is mined.
    """
    wallet = wallet_open(keystore, passphrase_file)
    address = wallet.address if wallet else address_read(operator)
    hash_ = context.home.keys_load().hash(address)
    application = Application(address, hash_, gpu_class, gpus, region, metadata_uri)
    if wallet is None:
        _print_calldata(application, deployment)
        config = replace(context.home.config_load(), operator=to_checksum(address))
        context.home.config_save(config)
        return
    if deployment is None or rpc_url is None:
        raise ChainFault("chain_missing", "Sending needs --deployment and --rpc-url.")
    transport = HttpTransport(rpc_url)
    click.get_current_context().call_on_close(transport.close)
    registrar = Registrar(
        rpc=RpcClient(transport),
        contracts=Contracts.read(deployment),
        wallet=wallet,
        say=click.echo,
    )
    node_id = registrar.register(application)
    click.echo(f"Node id 0x{node_id.hex()}")
    context.home.config_save(
        Config(
            server=context.server(),
            node_id=f"0x{node_id.hex()}",
            operator=to_checksum(address),
        )
    )
    if context.server() is None:
        click.echo('Give --server to "prove" to make the key count.')
        return
    client = context.client()
    proof = _proof(context, client, node_id, address)
    _prove(context, client, node_id, proof, wallet.sign_digest(proof.digest))


@click.command()
@click.option("--node-id", help="As registered; 0x and 64 digits.")
@click.option("--operator", help="Operator's address; not needed with --keystore.")
@click.option("--signature", help="The operator's signature of what this command printed before.")
@click.option("--nonce", help="The nonce that was printed with it.")
@click.option("--keystore", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def prove(
    context: Context,
    node_id: str | None,
    operator: str | None,
    signature: str | None,
    nonce: str | None,
    keystore: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Prove to the service that the operator and the node's key belong together.

    With a wallet: once without --signature to get the typed data to sign, once with it.
    """
    wallet = wallet_open(keystore, passphrase_file)
    config = context.home.config_load()
    address = wallet.address if wallet else address_read(operator or config.operator)
    identifier = bytes_read(context.node_id(node_id), 32, "node id")
    client = context.client()
    context.home.config_save(
        Config(
            server=client.server,
            node_id=f"0x{identifier.hex()}",
            operator=to_checksum(address),
        )
    )
    if signature is not None:
        proof = _proof_again(context, nonce)
        _prove(context, client, identifier, proof, bytes_read(signature, None, "signature"))
        return
    proof = _proof(context, client, identifier, address)
    if wallet is not None:
        _prove(context, client, identifier, proof, wallet.sign_digest(proof.digest))
        return
    _proof_keep(context, proof)
    click.echo(json.dumps(proof.typed_data, indent=2))
    click.echo(f"Sign this typed data with {to_checksum(address)} before {proof.expires_at}, then:")
    click.echo(f"  althing-node prove --nonce {proof.nonce} --signature 0x...")


def _print_calldata(application: Application, deployment: Path | None) -> None:
    click.echo(f"Keys hash 0x{application.keys_hash.hex()}")
    if deployment is not None:
        contracts = Contracts.read(deployment)
        click.echo(f"Chain {contracts.chain_id}")
        click.echo(f"1. To {to_checksum(contracts.token)} (token): approve the registry")
        click.echo(f"   {to_checksum(contracts.registry)} for requiredStake(class, GPUs).")
        click.echo(f"2. To {to_checksum(contracts.registry)} (NodeRegistry), this calldata:")
    click.echo(f"0x{register_calldata(application).hex()}")


def _proof(context: Context, client: ServiceClient, node_id: bytes, operator: bytes) -> Proof:
    keys = context.home.keys_load()
    return proof_open(client, node_id=node_id, keys=keys, operator=operator)


def _proof_keep(context: Context, proof: Proof) -> None:
    path = context.home.path("proof.json")
    path.write_text(json.dumps({"nonce": proof.nonce, "digest": proof.digest.hex()}))


def _proof_again(context: Context, nonce: str | None) -> Proof:
    """The challenge that an earlier call printed; its digest was checked then."""
    path = context.home.path("proof.json")
    try:
        kept = json.loads(path.read_text())
        proof = Proof(kept["nonce"], bytes.fromhex(kept["digest"]), "", {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeysError(
            "proof_missing", 'No open challenge is kept here; run "prove" without --signature.'
        ) from error
    if nonce is not None and nonce != proof.nonce:
        raise KeysError("proof_missing", "That nonce is not the one printed last.")
    return proof


def _prove(
    context: Context, client: ServiceClient, node_id: bytes, proof: Proof, signature: bytes
) -> None:
    keys = context.home.keys_load()
    accepted = proof_send(
        client, node_id=node_id, proof=proof, keys=keys, operator_signature=signature
    )
    context.home.path("proof.json").unlink(missing_ok=True)
    click.echo(f"The service accepts key {accepted.get('key_id')}. Next: althing-node run")
