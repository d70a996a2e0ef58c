"""An index that is made while its table is in use."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_customers")]
    operations = [migrations.RunSQL("@index@", migrations.RunSQL.noop)]
