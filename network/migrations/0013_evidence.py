"""Bodies of reports move to a table that is partitioned by the day they were received on."""

import django.db.models.deletion
from django.db import migrations, models

import chain.fields

FORWARDS = """
CREATE TABLE network_attestationevidence (
    attestation_id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (attestation_id, received_at)
) PARTITION BY RANGE (received_at);
-- Takes what no day was made for yet, so that a report is never refused for a missing partition.
CREATE TABLE network_attestationevidence_default
    PARTITION OF network_attestationevidence DEFAULT;
INSERT INTO network_attestationevidence (attestation_id, received_at, body)
    SELECT id, received_at, evidence FROM network_attestation;
ALTER TABLE network_attestation DROP COLUMN evidence;
"""

BACKWARDS = """
ALTER TABLE network_attestation ADD COLUMN evidence bytea NOT NULL DEFAULT ''::bytea;
UPDATE network_attestation SET evidence = body
    FROM network_attestationevidence WHERE attestation_id = network_attestation.id;
ALTER TABLE network_attestation ALTER COLUMN evidence DROP DEFAULT;
DROP TABLE network_attestationevidence;
"""


class Migration(migrations.Migration):
    dependencies = [("network", "0012_cases")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARDS, BACKWARDS)],
            state_operations=[
                migrations.RemoveField("attestation", "evidence"),
                migrations.CreateModel(
                    name="AttestationEvidence",
                    fields=[
                        (
                            "attestation",
                            models.OneToOneField(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                primary_key=True,
                                related_name="+",
                                serialize=False,
                                to="network.attestation",
                            ),
                        ),
                        ("received_at", models.DateTimeField()),
                        ("body", chain.fields.BytesField()),
                    ],
                    options={"ordering": ["attestation_id"]},
                ),
            ],
        )
    ]
