"""A page of the history within the admin's frame, for administrators."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def page(request: HttpRequest, template: str, title: Any, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Show a template within the frame."""
    return render(request, template, {**admin.site.each_context(request), "title": title, **context}, status=status)
