"""Orders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_index")]
    operations = [
        migrations.CreateModel(
            "Order", [("id", models.AutoField(primary_key=True))], {"db_table": "orders"}
        ),
    ]
