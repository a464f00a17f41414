from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("network", "0002_verdict_hash")]

    operations = [
        migrations.AddField(
            model_name="verdict",
            name="inputs",
            field=models.JSONField(default=dict),
        ),
    ]
