"""The one wish that goes up: what may be drawn must be decided again."""

from django.dispatch import Signal

decide_again = Signal()
