"""What others may want to know before it is too late: meter values of transactions are about to be deleted."""

from django.dispatch import Signal

forgetting_values = Signal()
