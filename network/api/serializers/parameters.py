"""Parameters as the API gives them. Values are text: a uint256 fits no JSON number."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import Hash32SerializerField, Uint256SerializerField
from network.models import (
    ActivationKind,
    ParameterClass,
    ParameterKind,
    SetStatus,
    TightenDirection,
)
from network.selectors.parameters import HistoryEntry, ParameterState
from network.units import purpose_of, value_human

#: Keys that one ``set`` may name in a validation: the registry has about a hundred.
VALIDATE_KEYS_MAX = 64


class PendingChangeSerializer(serializers.Serializer[Any]):
    """A change that was accepted and takes effect later."""

    set_id = serializers.IntegerField()
    value = serializers.CharField(source="new")
    effective_at = serializers.DateTimeField()
    transaction_hash = Hash32SerializerField()


class TighteningSerializer(serializers.Serializer[Any]):
    """A guardian's temporary move."""

    value = serializers.CharField(source="to_value")
    tightened_at = serializers.DateTimeField()
    lapses_at = serializers.DateTimeField()


class ParameterSerializer(serializers.Serializer[ParameterState]):
    """A parameter as it stands now: rules, value, what is pending."""

    name = serializers.CharField(source="parameter.name")
    key = Hash32SerializerField(source="parameter.key")
    group = serializers.CharField(source="parameter.group")
    purpose = serializers.SerializerMethodField()
    kind = serializers.ChoiceField(ParameterKind.choices, source="parameter.kind")
    unit = serializers.CharField(source="parameter.unit")
    risk_class = serializers.ChoiceField(ParameterClass.choices, source="parameter.risk_class")
    activation = serializers.ChoiceField(ActivationKind.choices, source="parameter.activation")
    tighten = serializers.ChoiceField(TightenDirection.choices, source="parameter.tighten")
    value = serializers.CharField()
    value_human = serializers.SerializerMethodField()
    voted_value = serializers.CharField(
        help_text="In force by vote, a guardian's tightening left aside: what `set` expects."
    )
    min = Uint256SerializerField(source="parameter.min")
    max = Uint256SerializerField(source="parameter.max")
    step = Uint256SerializerField(source="parameter.step")
    max_abs = Uint256SerializerField(source="parameter.max_abs")
    max_rel_bps = serializers.IntegerField(source="parameter.max_rel_bps")
    min_interval_s = serializers.IntegerField(source="parameter.min_interval_s")
    allowed_min = serializers.SerializerMethodField()
    allowed_max = serializers.SerializerMethodField()
    allowed_at_s = serializers.IntegerField(
        help_text="Unix seconds from which the key may change again; 0: now."
    )
    version = serializers.IntegerField(help_text="The set in force; 0: as first defined.")
    changed_at = serializers.DateTimeField()
    changed_tx = Hash32SerializerField(help_text="Joins the proposal that made the change.")
    pending = PendingChangeSerializer(allow_null=True)
    tightening = TighteningSerializer(allow_null=True)
    chain_value = serializers.CharField(
        source="parameter.chain_value",
        help_text="What `get(key)` answered at `chain_value_block`; empty while unread.",
    )
    chain_value_block = serializers.IntegerField(
        source="parameter.chain_value_block", allow_null=True
    )

    def get_purpose(self, state: ParameterState) -> str:
        return purpose_of(state.parameter.name)

    def get_value_human(self, state: ParameterState) -> str:
        return value_human(state.parameter, state.value)

    def get_allowed_min(self, state: ParameterState) -> str | None:
        return None if state.allowed is None else str(state.allowed[0])

    def get_allowed_max(self, state: ParameterState) -> str | None:
        return None if state.allowed is None else str(state.allowed[1])


class ParameterHistorySerializer(serializers.Serializer[HistoryEntry]):
    """One line of a parameter's history, newest first."""

    kind = serializers.ChoiceField(["defined", "redefined", "set", "tightened"])
    status = serializers.ChoiceField([*SetStatus.values, "lapsed"])
    old = serializers.CharField(help_text="Empty for a definition.")
    new = serializers.CharField()
    decided_at = serializers.DateTimeField()
    effective_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    set_id = serializers.IntegerField(allow_null=True)
    undone_by = serializers.IntegerField(allow_null=True)
    transaction_hash = Hash32SerializerField()
    block_number = serializers.IntegerField(allow_null=True)


class ParameterChangesSerializer(serializers.Serializer[Any]):
    """A parameter's whole history."""

    name = serializers.CharField()
    results = ParameterHistorySerializer(many=True)


class ProposedValueSerializer(serializers.Serializer[Any]):
    """One key of a set to try."""

    name = serializers.CharField(max_length=128)
    value = serializers.CharField(
        max_length=78, help_text="Decimal text in the parameter's unit, or 0x hex for a root."
    )


class ParameterValidateSerializer(serializers.Serializer[Any]):
    """A set of changes to try against the contract's rules."""

    changes = ProposedValueSerializer(  # type: ignore[call-arg]  # many=True makes it a list's
        many=True, allow_empty=False, max_length=VALIDATE_KEYS_MAX
    )


class ParameterValidationSerializer(serializers.Serializer[Any]):
    """What the contract says of a set. ``ok`` false comes with the rule's name and a sentence."""

    ok = serializers.BooleanField()
    code = serializers.CharField(help_text="The custom error's name; empty when ok.")
    detail = serializers.CharField()
    parameter = serializers.CharField(
        allow_null=True, help_text="The parameter the rule speaks of, where it names one."
    )
    arguments = serializers.DictField(help_text="The error's arguments, numbers as text.")
