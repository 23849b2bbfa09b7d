"""Filters that put what stations report into a person's words."""

from django import template

from stations.reported_words import outcome_in_words

register = template.Library()
register.filter("outcome", outcome_in_words)
