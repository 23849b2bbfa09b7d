"""A page of our own within the admin's frame."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def admin_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    title: Any,
    within: "ModelAdmin[Any] | None" = None,
    shown: Model | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show a template within the frame; above it stands a way to the list `within`, and to the row `shown` of it."""
    frame = {**admin.site.each_context(request), "title": title}
    if within is not None:
        frame |= {"opts": within.opts, "object": shown}
    return render(request, template, {**frame, **context}, status=status)
