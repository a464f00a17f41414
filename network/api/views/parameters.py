"""Parameters: what is in force, what was, and whether a change would be accepted."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.throttles import AddressThrottle
from chain.api.views import ReadView
from network.api.serializers.parameters import (
    ParameterChangesSerializer,
    ParameterSerializer,
    ParameterValidateSerializer,
    ParameterValidationSerializer,
)
from network.api.views.base import OpenWriteView, choice_get, text_filter
from network.errors import NotFound
from network.models import Parameter, ParameterKind
from network.selectors.parameters import parameter_history, parameter_state, parameter_states
from network.services.validation import parameters_validate

NAME = OpenApiParameter(
    "name", OpenApiTypes.STR, OpenApiParameter.PATH, description="For example `attest.ttl`."
)


def parameter_get(name: str) -> Parameter:
    """Look a parameter up by name.

    Raises:
        NotFound: ``parameter_unknown``.
    """
    parameter = None if "\x00" in name else Parameter.objects.filter(name=name).first()
    if parameter is None:
        raise NotFound("parameter_unknown", "No parameter of this name is defined on chain.")
    return parameter


class ParameterListView(ReadView, GenericAPIView[Parameter]):
    """All parameters of the registry as they stand now."""

    serializer_class = ParameterSerializer  # type: ignore[assignment]  # rows become states first
    ordering = "name"

    @extend_schema(
        operation_id="parameters_list",
        parameters=[
            text_filter("group", "Only this group, for example `attest`."),
            text_filter("kind", "Only this kind.", ParameterKind.values),
            text_filter("q", "Only names that contain this text."),
        ],
        responses=ParameterSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = Parameter.objects.all()
        if group := request.query_params.get("group"):
            rows = rows.filter(group=group)
        if kind := choice_get(request, "kind", ParameterKind.values):
            rows = rows.filter(kind=kind)
        if text := request.query_params.get("q"):
            rows = rows.filter(name__icontains=text)
        page = self.paginate_queryset(rows) or []
        states = parameter_states(page, at=clock.now())
        found = ParameterSerializer(states, many=True)  # type: ignore[arg-type]
        return self.get_paginated_response(found.data)


class ParameterDetailView(ReadView):
    """One parameter as it stands now."""

    @extend_schema(operation_id="parameters_read", parameters=[NAME], responses=ParameterSerializer)
    def get(self, request: Request, name: str) -> Response:
        state = parameter_state(parameter_get(name), at=clock.now())
        return Response(ParameterSerializer(state).data)


class ParameterChangesView(ReadView):
    """Everything that ever happened to a parameter, newest first."""

    @extend_schema(
        operation_id="parameters_changes",
        parameters=[NAME],
        responses=ParameterChangesSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        parameter = parameter_get(name)
        history = parameter_history(parameter, at=clock.now())
        return Response(ParameterChangesSerializer({"name": name, "results": history}).data)


class ParameterValidateView(OpenWriteView):
    """Ask the contract whether it would accept a set of changes now. Changes nothing."""

    # Read-only, and asked at every keystroke of the proposal form: the reads' rate.
    throttle_classes: Any = (AddressThrottle,)
    error_statuses = {"post": (422,)}

    @extend_schema(
        operation_id="parameters_validate",
        request=ParameterValidateSerializer,
        responses=ParameterValidationSerializer,
    )
    def post(self, request: Request) -> Response:
        wanted = ParameterValidateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        pairs = [(item["name"], item["value"]) for item in wanted.validated_data["changes"]]
        return Response(ParameterValidationSerializer(parameters_validate(changes=pairs)).data)
