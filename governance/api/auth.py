"""Sign-In with Ethereum over JSON: start, finish, sign out."""

from __future__ import annotations

from typing import Any

from django.middleware.csrf import rotate_token
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.fields import AddressSerializerField, HexSerializerField
from chain.signatures import SIGNATURE_MAX_BYTES
from governance import siwe
from governance.api.base import SessionView, SiweThrottle
from governance.api.serializers import SettledSerializer
from governance.services.drafts import drafts_adopt, owner_token


class SiweStartSerializer(serializers.Serializer[Any]):
    address = AddressSerializerField()


class SiweMessageSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="The EIP-4361 text to sign, exactly.")
    expires_at = serializers.IntegerField(help_text="Unix seconds.")


class SiweFinishSerializer(serializers.Serializer[Any]):
    signature = HexSerializerField(max_length=SIGNATURE_MAX_BYTES)


class SiweAccountSerializer(serializers.Serializer[Any]):
    address = AddressSerializerField()


class AuthView(SessionView):
    def get_throttles(self) -> list[Any]:
        return [SiweThrottle()]


class SiweStart(AuthView):
    """The message to sign, written by the server and bound to this session."""

    @extend_schema(tags=["auth"], request=SiweStartSerializer, responses=SiweMessageSerializer)
    def post(self, request: Request) -> Response:
        body = SiweStartSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        challenge = siwe.challenge_start(
            session=request.session, address=body.validated_data["address"]
        )
        return Response({"message": challenge.text, "expires_at": challenge.expires_at})


class SiweFinish(AuthView):
    """Signs the account in. The message is spent, whatever comes of it."""

    @extend_schema(tags=["auth"], request=SiweFinishSerializer, responses=SiweAccountSerializer)
    def post(self, request: Request) -> Response:
        body = SiweFinishSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = siwe.challenge_finish(
            session=request.session, signature=body.validated_data["signature"]
        )
        rotate_token(request._request)
        drafts_adopt(token=owner_token(session=request.session), account=account)
        return Response(SiweAccountSerializer({"address": account}).data)


class Logout(AuthView):
    """Ends the session and asks the browser to forget what it cached."""

    @extend_schema(tags=["auth"], request=None, responses=SettledSerializer)
    def post(self, request: Request) -> Response:
        siwe.session_close(session=request.session)
        # Not "storage": the wallet module keeps what was sent and is not mined yet there.
        return Response({"ok": True}, headers={"Clear-Site-Data": '"cache"'})
