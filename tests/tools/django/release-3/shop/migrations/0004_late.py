"""A statement that takes its time."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_orders")]
    operations = [migrations.RunSQL("@late@", "DROP TABLE late")]
