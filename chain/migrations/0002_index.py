from django.db import migrations, models

# A touch stored before knew only its block. Its newest log is the newest of the key's logs up to
# there; and it covered its own block alone, or a window of which nothing can be taken back.
TOUCH_FILL = """
UPDATE chain_keytouch AS touch SET
    from_number = touch.block_number,
    log_number = newest.block_number,
    log_index = newest.log_index,
    log_timestamp = newest.block_timestamp
FROM chain_keytouch AS self LEFT JOIN LATERAL (
    SELECT log.block_number, log.log_index, log.block_timestamp
    FROM chain_logkey AS item JOIN chain_log AS log ON log.id = item.log_id
    WHERE item.chain_id = self.chain_id AND item.projector = self.projector
        AND item.key = self.key AND log.canonical AND log.block_number <= self.block_number
    ORDER BY log.block_number DESC, log.log_index DESC LIMIT 1
) AS newest ON TRUE
WHERE self.id = touch.id
"""


class Migration(migrations.Migration):
    dependencies = [("chain", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(model_name="keytouch", name="chain_touch_once"),
        migrations.RemoveConstraint(model_name="log", name="chain_log_place"),
        migrations.RemoveIndex(model_name="log", name="chain_log_tx"),
        migrations.RemoveIndex(model_name="log", name="chain_log_event"),
        migrations.AddField(
            model_name="cursor",
            name="projected_number",
            field=models.BigIntegerField(
                default=0,
                help_text="Keys touched after this block wait for the end of a catch-up to be "
                "recomputed.",
            ),
        ),
        migrations.AlterField(
            model_name="cursor",
            name="window_blocks",
            field=models.IntegerField(
                default=100, help_text="Blocks per eth_getLogs in the finalized lane; adapts."
            ),
        ),
        migrations.RunSQL(
            "UPDATE chain_cursor SET projected_number = number", migrations.RunSQL.noop
        ),
        migrations.AddField(
            model_name="keytouch",
            name="from_number",
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="keytouch", name="log_index", field=models.IntegerField(null=True)
        ),
        migrations.AddField(
            model_name="keytouch",
            name="log_number",
            field=models.BigIntegerField(
                help_text="Null: touched by time, not by a log.", null=True
            ),
        ),
        migrations.AddField(
            model_name="keytouch",
            name="log_timestamp",
            field=models.BigIntegerField(help_text="Unix seconds.", null=True),
        ),
        migrations.RunSQL(TOUCH_FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="log",
            index=models.Index(
                condition=models.Q(("event", "")),
                fields=["chain_id", "block_number"],
                name="chain_log_undecoded",
            ),
        ),
        migrations.AddConstraint(
            model_name="keytouch",
            constraint=models.UniqueConstraint(
                fields=("chain_id", "projector", "key", "block_number", "block_hash"),
                name="chain_touch_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="log",
            constraint=models.UniqueConstraint(
                fields=("chain_id", "block_number", "log_index", "block_hash"),
                name="chain_log_place",
            ),
        ),
    ]
