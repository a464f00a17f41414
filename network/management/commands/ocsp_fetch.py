"""Ask the responder in the settings about certificates, or take kept answers in."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.attestation.certificates import MAX_CHAIN_BYTES
from network.attestation.ocsp import MAX_OCSP_BYTES
from network.errors import NetworkError
from network.models import ChainCertificate
from network.selectors.collateral import certificates_due
from network.services.collateral_certificates import device_chain_note
from network.services.collateral_directories import file_read
from network.services.collateral_fetch import fetch_client, ocsp_fetch
from network.services.collateral_revocation import ocsp_ingest
from network.verification import trust_anchors

#: Seconds one run may spend on asking.
BUDGET_S = 3600.0
AT_ONCE = 100_000


class Command(BaseCommand):
    """Asks ``ALTHING_OCSP_URL`` about every certificate that is due (``--all``: about every one).

    ``--from`` asks nobody: it takes kept answers (``*.ocsp``, DER) from a file or directory.
    ``--chain`` makes a device's certificates known first. Exits with 1 when something was refused.
    """

    help = "Learn by OCSP whether certificates are revoked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="Also what is not due yet.")
        parser.add_argument("--from", dest="folder", type=Path, help="Kept answers instead.")
        parser.add_argument("--chain", type=Path, help="PEM chain of a device, leaf first.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            if options["chain"] is not None:
                pem = file_read(options["chain"], MAX_CHAIN_BYTES)
                device_chain_note(pem, trust=trust_anchors(), at=now)
            if options["folder"] is not None:
                self._take_in(options["folder"])
                return
            if options["all"]:
                rows = ChainCertificate.objects.exclude(ocsp_due_at=None)
                rows.update(ocsp_due_at=now)
            with fetch_client() as client:
                due = certificates_due(at=now, limit=AT_ONCE)
                done = ocsp_fetch(due, client=client, at=now, budget_s=BUDGET_S)
        except NetworkError as error:
            raise CommandError(f"{error.code}: {error.detail}") from error
        self.stdout.write(f"{done.answered} of {done.asked} certificates answered.")
        for why, count in sorted(done.reasons.items()):
            self.stderr.write(f"{count} not: {why}")
        if done.reasons:
            raise CommandError("Some answers could not be had; they are asked for again later.")

    def _take_in(self, place: Path) -> None:
        files = sorted(place.glob("*.ocsp")) if place.is_dir() else [place]
        refused = 0
        for file in files:
            try:
                der = file_read(file, MAX_OCSP_BYTES)
                done = ocsp_ingest(der, source=file.name, at=clock.now())
            except NetworkError as error:
                refused += 1
                self.stderr.write(f"refused   {file}: {error.detail} [{error.code}]")
            else:
                self.stdout.write(f"{'taken in' if done.is_new else 'known   '}  {file.name}")
        if refused:
            raise CommandError(f"{refused} refused.")
