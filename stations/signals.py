"""What goes up: what may be drawn must be decided again; and may a station be tested now?

Who hears `testing` (`station`) returns a sentence that says why not, or nothing.
"""

from django.dispatch import Signal

decide_again = Signal()
testing = Signal()
