"""Filters of the pages of the history."""

from decimal import Decimal

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def kwh(energy_wh: int | None) -> str:
    """Write energy in kWh with three decimals; a dash where it is not known."""
    return "–" if energy_wh is None else str(number_format(energy_wh / 1000, decimal_pos=3, use_l10n=True))


@register.filter
def price(amount: Decimal) -> str:
    """Write a price with as many decimals as it has, two at least."""
    decimals = -int(amount.normalize().as_tuple().exponent)
    return str(number_format(amount, decimal_pos=max(2, decimals), use_l10n=True))
