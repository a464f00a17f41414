import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import chain.fields


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0004_governors"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReconcileFinding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("chain_id", models.BigIntegerField()),
                ("contract", chain.fields.AddressField(editable=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("proposal", "Proposal"),
                            ("vote", "Vote"),
                            ("holder", "Holder"),
                            ("delegate", "Delegate"),
                            ("operation", "Timelock operation"),
                            ("setting", "Governor's setting"),
                        ],
                        max_length=12,
                    ),
                ),
                ("subject", models.CharField(max_length=200)),
                ("field", models.CharField(max_length=40)),
                ("function", models.CharField(max_length=60)),
                ("proposal_id", chain.fields.Uint256Field(null=True)),
                ("indexed", models.TextField()),
                ("chain", models.TextField()),
                ("block_number", models.PositiveBigIntegerField()),
                ("block_hash", chain.fields.Hash32Field(editable=True)),
                ("found_at", models.DateTimeField()),
                ("seen_number", models.PositiveBigIntegerField()),
                ("seen_at", models.DateTimeField()),
                ("closed_number", models.PositiveBigIntegerField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ReconcileRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("chain_id", models.BigIntegerField()),
                ("scope", models.CharField(max_length=12)),
                ("block_number", models.PositiveBigIntegerField()),
                ("block_hash", chain.fields.Hash32Field(editable=True)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField()),
                ("compared", models.PositiveIntegerField()),
                ("unanswered", models.PositiveIntegerField(default=0)),
                ("differing", models.PositiveIntegerField(default=0)),
                ("opened", models.PositiveIntegerField(default=0)),
                ("closed", models.PositiveIntegerField(default=0)),
                ("resume", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["-pk"],
                "get_latest_by": "pk",
            },
        ),
        migrations.CreateModel(
            name="SpentChallenge",
            fields=[
                ("nonce", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="proposal",
            index=models.Index(
                condition=models.Q(("state_mismatch", True)),
                fields=["number"],
                name="proposal_mismatch",
            ),
        ),
        migrations.AddIndex(
            model_name="reconcilefinding",
            index=models.Index(
                condition=models.Q(("closed_at", None)),
                fields=["proposal_id"],
                name="finding_open_proposal",
            ),
        ),
        migrations.AddConstraint(
            model_name="reconcilefinding",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)),
                fields=("chain_id", "contract", "kind", "subject", "field"),
                name="finding_open_once",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reconcilefinding",
            trigger=pgtrigger.compiler.Trigger(
                name="finding_no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="ee8d90761ad4198bba19ac67fbe9d29b3fed6020",
                    operation="DELETE",
                    pgid="pgtrigger_finding_no_delete_eb8c0",
                    table="governance_reconcilefinding",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reconcilefinding",
            trigger=pgtrigger.compiler.Trigger(
                name="finding_evidence",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."chain_id" IS DISTINCT FROM (NEW."chain_id") OR OLD."contract" IS DISTINCT FROM (NEW."contract") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."subject" IS DISTINCT FROM (NEW."subject") OR OLD."field" IS DISTINCT FROM (NEW."field") OR OLD."function" IS DISTINCT FROM (NEW."function") OR OLD."proposal_id" IS DISTINCT FROM (NEW."proposal_id") OR OLD."indexed" IS DISTINCT FROM (NEW."indexed") OR OLD."chain" IS DISTINCT FROM (NEW."chain") OR OLD."block_number" IS DISTINCT FROM (NEW."block_number") OR OLD."block_hash" IS DISTINCT FROM (NEW."block_hash") OR OLD."found_at" IS DISTINCT FROM (NEW."found_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="6287326cc9356a3feea8b6b0aadee7eb69ce2506",
                    operation="UPDATE",
                    pgid="pgtrigger_finding_evidence_61ccd",
                    table="governance_reconcilefinding",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reconcilerun",
            trigger=pgtrigger.compiler.Trigger(
                name="reconcile_run_fixed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="2a29e428119cc681c209b5a06b2a5365869be40a",
                    operation="UPDATE",
                    pgid="pgtrigger_reconcile_run_fixed_20fdb",
                    table="governance_reconcilerun",
                    when="BEFORE",
                ),
            ),
        ),
    ]
