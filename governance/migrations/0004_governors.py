import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import chain.fields


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0003_keeper"),
    ]

    operations = [
        migrations.CreateModel(
            name="GovernorAct",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("governor", chain.fields.AddressField(db_index=True, editable=True)),
                (
                    "act",
                    models.CharField(
                        choices=[
                            ("add", "Added"),
                            ("update", "Probed again"),
                            ("remove", "Removed"),
                            ("restore", "Added back"),
                        ],
                        max_length=8,
                    ),
                ),
                ("actor", models.CharField(max_length=150)),
                ("acted_at", models.DateTimeField()),
                ("report", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="GovernorOperation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("timelock", chain.fields.AddressField(editable=True)),
                ("operation_id", chain.fields.Hash32Field(editable=True)),
                ("governor", chain.fields.AddressField(editable=True)),
                ("proposal_id", chain.fields.Uint256Field()),
            ],
        ),
        migrations.CreateModel(
            name="GovernorProposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("governor", chain.fields.AddressField(editable=True)),
                ("proposal_id", chain.fields.Uint256Field()),
                ("proposer", chain.fields.AddressField(editable=True)),
                ("title", models.CharField(blank=True, max_length=256)),
                ("description", models.TextField(blank=True)),
                ("description_raw", chain.fields.BytesField(null=True)),
                ("calls", models.JSONField(default=list)),
                ("recomputed_id", chain.fields.Uint256Field(null=True)),
                ("id_matches", models.BooleanField(null=True)),
                ("clock_mode", models.CharField(max_length=12)),
                ("snapshot_clock", chain.fields.Uint256Field()),
                ("deadline_clock", chain.fields.Uint256Field()),
                ("extended_count", models.PositiveIntegerField(default=0)),
                ("eta_s", chain.fields.Uint256Field(null=True)),
                ("created_at", models.DateTimeField()),
                ("created_block", models.PositiveBigIntegerField()),
                ("created_log_index", models.PositiveIntegerField()),
                ("created_tx", chain.fields.Hash32Field(editable=True)),
                ("queued_at", models.DateTimeField(null=True)),
                ("queued_tx", chain.fields.Hash32Field(editable=True, null=True)),
                ("executed_at", models.DateTimeField(null=True)),
                ("executed_tx", chain.fields.Hash32Field(editable=True, null=True)),
                ("canceled_at", models.DateTimeField(null=True)),
                ("canceled_tx", chain.fields.Hash32Field(editable=True, null=True)),
                ("canceled_count", models.PositiveIntegerField(default=0)),
                ("timelock_direct", models.BooleanField(default=False)),
                ("for_votes", chain.fields.Uint256Field(null=True)),
                ("against_votes", chain.fields.Uint256Field(null=True)),
                ("abstain_votes", chain.fields.Uint256Field(null=True)),
                ("quorum_votes", chain.fields.Uint256Field(null=True)),
                ("state", models.PositiveSmallIntegerField(null=True)),
                ("chain_state", models.PositiveSmallIntegerField(null=True)),
                ("chain_state_block", models.PositiveBigIntegerField(null=True)),
                ("state_mismatch", models.BooleanField(default=False)),
                ("due_block", models.BigIntegerField(db_index=True, null=True)),
                ("due_time_s", models.BigIntegerField(db_index=True, null=True)),
            ],
            options={
                "ordering": ["-created_block", "-created_log_index"],
            },
        ),
        migrations.CreateModel(
            name="GovernorVote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("governor", chain.fields.AddressField(editable=True)),
                ("proposal_id", chain.fields.Uint256Field()),
                ("event", models.CharField(max_length=32)),
                ("voter", chain.fields.AddressField(editable=True)),
                ("support", models.PositiveSmallIntegerField()),
                ("weight", chain.fields.Uint256Field()),
                ("reason", models.TextField(blank=True)),
                ("reason_raw", chain.fields.BytesField(null=True)),
                ("params", chain.fields.BytesField(blank=True, default=bytes)),
                ("block_number", models.PositiveBigIntegerField()),
                ("log_index", models.PositiveIntegerField()),
                ("tx", chain.fields.Hash32Field(editable=True)),
                ("voted_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-block_number", "-log_index"],
            },
        ),
        migrations.CreateModel(
            name="IndexedGovernor",
            fields=[
                (
                    "address",
                    chain.fields.AddressField(editable=True, primary_key=True, serialize=False),
                ),
                ("chain_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=100)),
                ("abi", models.CharField(max_length=100)),
                (
                    "family",
                    models.CharField(
                        choices=[
                            ("oz_v4", "oz v4"),
                            ("oz_v5", "oz v5"),
                            ("bravo", "bravo"),
                            ("compound_governor", "compound governor"),
                            ("althing", "althing"),
                        ],
                        max_length=24,
                    ),
                ),
                (
                    "ballot",
                    models.CharField(
                        choices=[
                            ("simple", "simple"),
                            ("fractional", "fractional"),
                            ("overridable", "overridable"),
                            ("bravo", "bravo"),
                        ],
                        max_length=16,
                    ),
                ),
                ("counting_mode", models.CharField(blank=True, max_length=200)),
                (
                    "clock_mode",
                    models.CharField(
                        choices=[
                            ("block", "block"),
                            ("timestamp", "timestamp"),
                            ("custom", "custom"),
                        ],
                        max_length=12,
                    ),
                ),
                ("clock_unit", models.CharField(max_length=60)),
                (
                    "quorum_form",
                    models.CharField(
                        choices=[
                            ("fraction", "fraction"),
                            ("timepoint", "timepoint"),
                            ("votes", "votes"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "timelock_kind",
                    models.CharField(
                        choices=[
                            ("none", "none"),
                            ("controller", "controller"),
                            ("compound", "compound"),
                            ("access_manager", "access manager"),
                            ("unknown", "unknown"),
                        ],
                        max_length=16,
                    ),
                ),
                ("timelock", chain.fields.AddressField(editable=True, null=True)),
                ("timelock_abi", models.CharField(blank=True, max_length=100)),
                ("token", chain.fields.AddressField(editable=True, null=True)),
                ("token_symbol", models.CharField(blank=True, max_length=32)),
                ("token_decimals", models.PositiveSmallIntegerField(null=True)),
                (
                    "timelock_salt",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("description", "description"),
                            ("governor_xor_description", "governor xor description"),
                        ],
                        max_length=32,
                    ),
                ),
                ("grace_period_s", models.PositiveBigIntegerField(null=True)),
                ("sequential_ids", models.BooleanField(default=False)),
                ("has_super_quorum", models.BooleanField(default=False)),
                ("creation_block", models.BigIntegerField()),
                ("report", models.JSONField(default=dict)),
                ("added_at", models.DateTimeField()),
                ("added_by", models.CharField(max_length=150)),
                ("removed_at", models.DateTimeField(null=True)),
                ("removed_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "ordering": ["name", "address"],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="governoract",
            trigger=pgtrigger.compiler.Trigger(
                name="governor_act_append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="0f5ceeac833db4e6066ff32943a2c2bc8325d8e8",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_governor_act_append_only_764fe",
                    table="governance_governoract",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="governoroperation",
            index=models.Index(fields=["governor", "proposal_id"], name="governor_operation_of"),
        ),
        migrations.AddConstraint(
            model_name="governoroperation",
            constraint=models.UniqueConstraint(
                fields=("timelock", "operation_id", "governor", "proposal_id"),
                name="governor_operation",
            ),
        ),
        migrations.AddIndex(
            model_name="governorproposal",
            index=models.Index(
                fields=["governor", "-created_block", "-created_log_index"],
                name="governor_proposal_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="governorproposal",
            index=models.Index(fields=["governor", "chain_state"], name="governor_proposal_state"),
        ),
        migrations.AddConstraint(
            model_name="governorproposal",
            constraint=models.UniqueConstraint(
                fields=("governor", "proposal_id"), name="governor_proposal"
            ),
        ),
        migrations.AddIndex(
            model_name="governorvote",
            index=models.Index(
                fields=["governor", "proposal_id", "-block_number", "-log_index"],
                name="governor_vote_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="governorvote",
            index=models.Index(
                fields=["governor", "proposal_id", "-weight"], name="governor_vote_weight"
            ),
        ),
        migrations.AddIndex(
            model_name="governorvote",
            index=models.Index(fields=["voter"], name="governor_vote_voter"),
        ),
        migrations.AddConstraint(
            model_name="governorvote",
            constraint=models.UniqueConstraint(
                fields=("block_number", "log_index"), name="governor_vote_log"
            ),
        ),
    ]
