"""Every verdict gets its hash, also those from before there was one: it is made of their rows."""

from typing import Any

from django.db import migrations

import chain.fields
from network.epochs.digest import PublishedVerdict

ROWS_AT_ONCE = 500


def hashes_write(apps: Any, schema_editor: Any) -> None:
    """Hash the verdicts in the order they were made: one that judges again names the one before."""
    model = apps.get_model("network", "Verdict")
    last = 0
    while rows := list(
        model.objects.filter(pk__gt=last)
        .select_related("attestation", "rejudge_of")
        .order_by("pk")[:ROWS_AT_ONCE]
    ):
        made: dict[int, bytes] = {}
        for row in rows:
            made[row.pk] = row.verdict_hash = published(row, made).hash
        model.objects.bulk_update(rows, ["verdict_hash"])
        last = rows[-1].pk


def published(row: Any, made: dict[int, bytes]) -> PublishedVerdict:
    """What is published of a verdict; ``made`` are hashes that its replaced row may not have yet."""
    replaced = row.rejudge_of
    return PublishedVerdict(
        node_id=row.node_id,
        report_hash=row.attestation.report_hash,
        nonce=row.attestation.challenge_id,
        seq=row.attestation.seq,
        evidence_at=row.evidence_at,
        judged_at=row.judged_at,
        fresh_until=row.fresh_until,
        status=row.status,
        tier=row.tier,
        required_tier=row.required_tier,
        emulated=row.emulated,
        policy_version=row.policy_version,
        policy_hash=row.policy_hash,
        policy_block=row.policy_block,
        inputs={},
        findings=row.findings,
        replaces=None if replaced is None else made.get(replaced.pk, replaced.verdict_hash),
    )


class Migration(migrations.Migration):
    dependencies = [("network", "0001_first")]

    operations = [
        migrations.AddField(
            model_name="verdict",
            name="verdict_hash",
            field=chain.fields.Hash32Field(editable=True, null=True),
        ),
        migrations.RunPython(hashes_write, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="verdict",
            name="verdict_hash",
            field=chain.fields.Hash32Field(db_index=True, editable=True),
        ),
    ]
