"""Placeholder until the base templates land (C6 replaces this)."""


def site(request):
    return {}
