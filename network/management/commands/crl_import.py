"""Take certificate revocation lists from files into the database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.attestation.certificates import MAX_CHAIN_BYTES
from network.attestation.crl import MAX_CRL_BYTES
from network.errors import NetworkError
from network.services.collateral_certificates import device_chain_note
from network.services.collateral_directories import file_read
from network.services.collateral_revocation import crl_ingest
from network.verification import trust_anchors


class Command(BaseCommand):
    """Lists in DER, ``*.crl``. The issuer has to be known: from a report or manifest, or by
    ``--chain``. Lists cover the authorities; a single revoked device is known by OCSP alone.

    Exits with 1 when a list was refused; the others are in.
    """

    help = "Verify certificate revocation lists and take them into the database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, help="Files, or directories of them.")
        parser.add_argument("--chain", type=Path, help="PEM chain of a device, leaf first.")

    def handle(self, *args: Any, **options: Any) -> None:
        refused = 0
        if options["chain"] is not None:
            try:
                pem = file_read(options["chain"], MAX_CHAIN_BYTES)
                device_chain_note(pem, trust=trust_anchors(), at=clock.now())
            except NetworkError as error:
                raise CommandError(f"{error.code}: {error.detail}") from error
        for file in (found for path in options["paths"] for found in _files(path)):
            try:
                der = file_read(file, MAX_CRL_BYTES)
                done = crl_ingest(der, source=file.name, at=clock.now())
            except NetworkError as error:
                refused += 1
                self.stderr.write(f"refused   {file}: {error.detail} [{error.code}]")
                continue
            self.stdout.write(f"{'taken in' if done.is_new else 'known   '}  {file.name}")
            if done.withdrawn:
                self.stdout.write(f"          {done.withdrawn} manifests withdrawn: signer revoked")
        if refused:
            raise CommandError(f"{refused} refused.")


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.crl")) if path.is_dir() else [path]
