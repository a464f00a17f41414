from django.db import migrations, models

import chain.fields


class Migration(migrations.Migration):
    dependencies = [("chain", "0003_sender")]

    operations = [
        migrations.AddField(
            model_name="cursor",
            name="watch_digest",
            field=chain.fields.BytesField(blank=True, default=bytes),
        ),
        migrations.CreateModel(
            name="WatchedContract",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("chain_id", models.BigIntegerField()),
                ("address", chain.fields.AddressField()),
                ("abi", models.CharField(help_text="A name in chain/abi.", max_length=100)),
                ("label", models.CharField(blank=True, max_length=200)),
                ("first_block", models.BigIntegerField(help_text="Where its logs begin.")),
                (
                    "indexed_to",
                    models.BigIntegerField(
                        help_text="Every log up to and in this block is stored."
                    ),
                ),
                ("indexed_hash", chain.fields.Hash32Field(null=True)),
                ("generation", models.IntegerField(default=0)),
                (
                    "window_blocks",
                    models.IntegerField(
                        default=500,
                        help_text="Blocks per eth_getLogs while catching up; adapts.",
                    ),
                ),
                ("joined", models.BooleanField(default=False)),
                (
                    "joined_number",
                    models.BigIntegerField(help_text="The main cursor when it joined.", null=True),
                ),
                ("settled", models.BooleanField(default=False)),
                ("settled_projector", models.CharField(blank=True, max_length=100)),
                ("settled_key", models.CharField(blank=True, max_length=300)),
                (
                    "error",
                    models.TextField(blank=True, help_text="Why it does not advance."),
                ),
                ("added_at", models.DateTimeField()),
                ("added_by", models.CharField(max_length=150)),
                ("removed_at", models.DateTimeField(null=True)),
                ("removed_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("chain_id", "address"), name="chain_watch_once"
                    ),
                ],
            },
        ),
    ]
