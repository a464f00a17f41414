"""Since when a step is overdue."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0002_votes")]

    operations = [
        migrations.AddField(
            model_name="keepernote",
            name="overdue_since",
            field=models.DateTimeField(null=True),
        ),
    ]
