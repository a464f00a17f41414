import django.db.models.deletion
from django.db import migrations, models

import chain.fields


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_initial")]

    operations = [
        # The column stays for the processes of the release before, which still read it.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE governance_delegate ALTER COLUMN first_changed_block DROP NOT NULL",
                    migrations.RunSQL.noop,
                )
            ],
            state_operations=[
                migrations.RemoveField(model_name="delegate", name="first_changed_block")
            ],
        ),
        migrations.AlterField(
            model_name="vote",
            name="proposal",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="votes",
                to="governance.proposal",
            ),
        ),
        migrations.RemoveConstraint(model_name="vote", name="vote_log_unique"),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.UniqueConstraint(
                fields=("block_number", "log_index"), name="vote_log_unique"
            ),
        ),
        migrations.AlterField(
            model_name="vote", name="voter", field=chain.fields.AddressField(editable=True)
        ),
    ]
