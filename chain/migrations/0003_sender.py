"""The sender's budget, alarms, dependencies and guarded transitions."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import chain.fields


class Migration(migrations.Migration):
    dependencies = [("chain", "0002_index")]

    operations = [
        migrations.CreateModel(
            name="SignerAlarm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=40)),
                ("sentence", models.TextField()),
                ("since", models.DateTimeField()),
            ],
            options={
                "ordering": ["since"],
            },
        ),
        # The column stays, with a default, for the processes of the version before; a later release
        # drops it.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE chain_signer ALTER COLUMN alarm SET DEFAULT ''",
                    "ALTER TABLE chain_signer ALTER COLUMN alarm DROP DEFAULT",
                )
            ],
            state_operations=[migrations.RemoveField(model_name="signer", name="alarm")],
        ),
        migrations.AddField(
            model_name="signer",
            name="daily_gas_wei",
            field=chain.fields.Uint256Field(
                default=0, help_text="Wei for gas per UTC day of the chain."
            ),
        ),
        migrations.AddField(
            model_name="signer",
            name="in_flight_wei",
            field=chain.fields.Uint256Field(
                default=0,
                help_text="Wei for gas that the unmined may cost at most, when last seen.",
            ),
        ),
        migrations.AddField(
            model_name="signer",
            name="spent_wei",
            field=chain.fields.Uint256Field(
                default=0, help_text="Wei for gas today, when last seen: mined."
            ),
        ),
        migrations.AddField(
            model_name="txintent",
            name="checked_at",
            field=models.DateTimeField(help_text="When last considered for signing.", null=True),
        ),
        migrations.AddField(
            model_name="txintent",
            name="depends_on",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="dependents",
                to="chain.txintent",
            ),
        ),
        migrations.AddField(
            model_name="txintent",
            name="depends_on_final",
            field=models.BooleanField(
                default=False,
                help_text="Waits until the other is final; else until it is in a block.",
            ),
        ),
        migrations.AddField(
            model_name="txintent",
            name="mined_at",
            field=models.DateTimeField(help_text="The block's time.", null=True),
        ),
        migrations.AddField(
            model_name="txintent",
            name="revert_reason",
            field=models.TextField(
                blank=True, help_text="Why the chain refused it in its block, in plain words."
            ),
        ),
        migrations.AddField(
            model_name="txintent",
            name="revision",
            field=models.IntegerField(default=0, help_text="Transitions made; guards the next."),
        ),
        migrations.AddField(
            model_name="txintent",
            name="spent_wei",
            field=chain.fields.Uint256Field(
                help_text="Wei paid for gas, from the receipt.", null=True
            ),
        ),
        migrations.AddField(
            model_name="txintent",
            name="waiting_since",
            field=models.DateTimeField(help_text="Since when for this wait_code.", null=True),
        ),
        migrations.AddField(
            model_name="txintent",
            name="wait_code",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "-"),
                    ("not_before", "Too early"),
                    ("dependency", "Waits for another"),
                    ("preflight", "The chain says: not yet"),
                    ("would_revert", "Would revert"),
                    ("no_key", "No key"),
                    ("key_unavailable", "The key cannot be used"),
                    ("paused", "Paused"),
                    ("draining", "Draining"),
                    ("quarantined", "Quarantined"),
                    ("dry_run", "Dry run"),
                    ("low_balance", "Low balance"),
                    ("fee_cap", "Gas above the cap"),
                    ("budget", "Daily budget used up"),
                    ("in_flight", "Too many in flight"),
                    ("send_unknown", "The node did not confirm"),
                    ("nonce_gap", "An earlier one is missing at the node"),
                    ("nonce_spent", "The nonce is spent"),
                    ("refused", "The node refuses it"),
                    ("reorganised", "Reorganised away"),
                    ("stolen", "Nonce used elsewhere"),
                ],
                max_length=20,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="txintent",
            trigger=pgtrigger.compiler.Trigger(
                name="intent_transitions",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{planned:signed,planned:satisfied_externally,planned:rejected,signed:signed,signed:broadcast,signed:fee_capped,signed:mined,signed:nonce_stolen,broadcast:signed,broadcast:fee_capped,broadcast:mined,broadcast:nonce_stolen,fee_capped:signed,fee_capped:broadcast,fee_capped:mined,fee_capped:nonce_stolen,mined:mined,mined:broadcast,mined:finalized_ok,mined:finalized_reverted,mined:finalized_canceled,finalized_ok:broadcast,finalized_ok:mined,finalized_reverted:broadcast,finalized_reverted:mined,finalized_canceled:broadcast,finalized_canceled:mined}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="1ce8aa95086842d11a42c15ae26155ab17b90f11",
                    operation="UPDATE",
                    pgid="pgtrigger_intent_transitions_1500c",
                    table="chain_txintent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="txintent",
            trigger=pgtrigger.compiler.Trigger(
                name="intent_no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="52e3642bbc965f307e408f8e11d1208e6539b9cb",
                    operation="DELETE",
                    pgid="pgtrigger_intent_no_delete_04912",
                    table="chain_txintent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="signeralarm",
            name="signer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alarms",
                to="chain.signer",
            ),
        ),
        migrations.AddConstraint(
            model_name="signeralarm",
            constraint=models.UniqueConstraint(
                fields=("signer", "code"), name="chain_signer_alarm_once", nulls_distinct=False
            ),
        ),
    ]
