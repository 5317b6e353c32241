from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0080_erasing"), ("project", "0029_end_right")]
    operations = [migrations.RunPython(give_new_right("orders", "erase_personal_data"), migrations.RunPython.noop)]
