"""Placeholder until the sign-in lands (C5 replaces this)."""

from rest_framework.authentication import BaseAuthentication


class SiweMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.account = None
        return self.get_response(request)


class SiweAuthentication(BaseAuthentication):
    def authenticate(self, request):
        return None
