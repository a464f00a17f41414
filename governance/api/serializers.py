"""Shapes of the governance API. Amounts and ids are decimal strings: JSON readers round."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chain.api.fields import (
    AddressSerializerField,
    Hash32SerializerField,
    HexSerializerField,
    Uint256SerializerField,
)
from governance.models.proposals import ProposalKind
from governance.state import ProposalState, proposal_state

STATE_CHOICES = [state.slug for state in ProposalState]


class ActionSerializer(serializers.Serializer[Any]):
    """One call of a proposal, raw and read."""

    index = serializers.IntegerField()
    target = AddressSerializerField()
    value_wei = Uint256SerializerField()
    calldata = HexSerializerField()
    kind = serializers.CharField()
    function = serializers.CharField()
    args = serializers.DictField()
    summary = serializers.CharField()
    is_dangerous = serializers.BooleanField()
    parameters = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))


class ProposalSerializer(serializers.Serializer[Any]):
    """A proposal as lists show it. The words of a hidden one are empty."""

    number = serializers.IntegerField()
    proposal_id = Uint256SerializerField()
    title = serializers.SerializerMethodField()
    hidden = serializers.BooleanField(help_text="Its words are hidden by moderators.")
    state = serializers.SerializerMethodField(help_text="At the newest indexed block's time.")
    kind = serializers.ChoiceField(choices=ProposalKind.choices)
    is_constitutional = serializers.BooleanField()
    proposer = AddressSerializerField()
    created_at = serializers.DateTimeField()
    created_block = serializers.IntegerField()
    snapshot_at = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField()
    eta_at = serializers.DateTimeField(allow_null=True)
    executable_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    executed_at = serializers.DateTimeField(allow_null=True)
    for_wei = Uint256SerializerField()
    against_wei = Uint256SerializerField()
    abstain_wei = Uint256SerializerField()
    quorum_wei = Uint256SerializerField(allow_null=True)

    def get_title(self, row: Any) -> str:
        return "" if row.hidden else row.title

    @extend_schema_field({"type": "string", "enum": STATE_CHOICES})
    def get_state(self, row: Any) -> str:
        return proposal_state(row, self.context["at"]).slug


class ProposalDetailSerializer(ProposalSerializer):
    """A proposal with its text, its calls, its transactions and the keeper's word."""

    description = serializers.SerializerMethodField()
    description_hash = Hash32SerializerField()
    created_tx = Hash32SerializerField()
    queued_tx = Hash32SerializerField(allow_null=True)
    executed_tx = Hash32SerializerField(allow_null=True)
    executed_by = AddressSerializerField(allow_null=True)
    canceled_tx = Hash32SerializerField(allow_null=True)
    canceled_at = serializers.DateTimeField(allow_null=True)
    timelock_operation_id = Hash32SerializerField()
    state_mismatch = serializers.BooleanField(
        help_text="True when the chain's own `state()` differs from the one derived here."
    )
    keeper = serializers.SerializerMethodField(help_text="What the keeper waits for, or null.")
    actions = serializers.SerializerMethodField()

    def get_description(self, row: Any) -> str:
        return "" if row.hidden else row.description

    @extend_schema_field(
        {
            "type": "object",
            "nullable": True,
            "properties": {
                "code": {"type": "string"},
                "sentence": {"type": "string"},
                "overdue_since": {"type": "string", "format": "date-time", "nullable": True},
            },
        }
    )
    def get_keeper(self, row: Any) -> dict[str, Any] | None:
        note = self.context.get("keeper_note")
        if note is None:
            return None
        return {"code": note.code, "sentence": note.sentence, "overdue_since": note.overdue_since}

    @extend_schema_field(ActionSerializer(many=True))
    def get_actions(self, row: Any) -> Any:
        return ActionSerializer(row.actions.all(), many=True).data


class VoteSerializer(serializers.Serializer[Any]):
    """One vote log. A voter who splits power has several."""

    voter = AddressSerializerField()
    support = serializers.IntegerField(help_text="0 against, 1 for, 2 abstain, 255 split.")
    weight_wei = Uint256SerializerField()
    for_wei = Uint256SerializerField()
    against_wei = Uint256SerializerField()
    abstain_wei = Uint256SerializerField()
    reason = serializers.SerializerMethodField()
    block_number = serializers.IntegerField()
    transaction_hash = Hash32SerializerField(source="tx")
    voted_at = serializers.DateTimeField()

    def get_reason(self, row: Any) -> str:
        return "" if self.context.get("hidden") else row.reason


class PowerSerializer(serializers.Serializer[Any]):
    """What an account can vote with, and why it is that much."""

    power_wei = Uint256SerializerField(allow_null=True, help_text="Null: the node did not answer.")
    sentence = serializers.CharField()


class DelegateSerializer(serializers.Serializer[Any]):
    """An account with voting power."""

    address = AddressSerializerField()
    power_wei = Uint256SerializerField()
    delegators_count = serializers.IntegerField()
    last_changed_block = serializers.IntegerField()


class ProposalQuerySerializer(serializers.Serializer[Any]):
    """The filters of the proposal list."""

    state = serializers.ChoiceField(choices=STATE_CHOICES, required=False)
    kind = serializers.ChoiceField(choices=ProposalKind.choices, required=False)
    proposer = AddressSerializerField(required=False)
    parameter = serializers.CharField(
        required=False, max_length=128, help_text="Name of a parameter it would set."
    )
    search = serializers.CharField(required=False, max_length=100, help_text="Words of the title.")
    sort = serializers.ChoiceField(choices=["newest", "ending"], required=False, default="newest")


# --- what the browser writes --------------------------------------------------------


class ChangeSerializer(serializers.Serializer[Any]):
    """One parameter of a set."""

    name = serializers.CharField(max_length=128)
    value = serializers.RegexField(
        r"\A(?:(?:0|[1-9][0-9]{0,77})|0x[0-9a-fA-F]{64})\Z",
        help_text="Decimal digits in the parameter's base unit, or 0x and 64 digits.",
    )


class ActionInputSerializer(serializers.Serializer[Any]):
    """One action as the wizard states it. `type` says which of the other fields count."""

    type = serializers.ChoiceField(choices=["parameter_set", "transfer", "custom_call"])
    changes = ChangeSerializer(many=True, required=False, allow_empty=False)
    asset = serializers.CharField(required=False, max_length=42, help_text="ETH, ALT or address.")
    recipient = AddressSerializerField(required=False)
    amount_wei = Uint256SerializerField(required=False)
    target = AddressSerializerField(required=False)
    value_wei = Uint256SerializerField(required=False, default=0)
    calldata = HexSerializerField(required=False, max_length=64 * 1024)
    function = serializers.CharField(required=False, max_length=128, help_text="Name or signature.")
    args = serializers.ListField(required=False, max_length=32)

    #: Which fields each type cannot do without.
    _needed = {
        "parameter_set": ("changes",),
        "transfer": ("asset", "recipient", "amount_wei"),
        "custom_call": ("target",),
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = {
            name: ["This field is required for this type."]
            for name in self._needed[attrs["type"]]
            if attrs.get(name) is None
        }
        if missing:
            raise serializers.ValidationError(missing, code="required")
        if attrs["type"] == "custom_call" and not ("calldata" in attrs or attrs.get("function")):
            raise serializers.ValidationError(
                {"calldata": ["Give the call data, or a function with its arguments."]},
                code="required",
            )
        return attrs


class PreviewInputSerializer(serializers.Serializer[Any]):
    """A proposal to look at before it is signed."""

    title = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=40_960, allow_blank=True, trim_whitespace=False)
    actions = ActionInputSerializer(many=True, max_length=20)  # type: ignore[call-arg]
    proposer = AddressSerializerField(
        required=False, help_text="Who will sign it; the signed-in account when left out."
    )


class FindingSerializer(serializers.Serializer[Any]):
    """A remark of the checks."""

    code = serializers.CharField()
    severity = serializers.ChoiceField(choices=["error", "warning", "info"])
    sentence = serializers.CharField()
    action_index = serializers.IntegerField(allow_null=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """What will be signed, what it does, and what is odd about it."""

    proposal_id = Uint256SerializerField()
    calldata_hash = Hash32SerializerField(help_text="keccak256 of the call data joined.")
    targets = serializers.ListField(child=AddressSerializerField())
    values = serializers.ListField(child=Uint256SerializerField(), help_text="wei")
    calldatas = serializers.ListField(child=HexSerializerField())
    description = serializers.CharField(help_text="The exact text that goes on chain.")
    kind = serializers.ChoiceField(choices=ProposalKind.choices)
    is_constitutional = serializers.BooleanField()
    actions = ActionSerializer(many=True)
    findings = FindingSerializer(many=True)
    blocked = serializers.BooleanField(help_text="An error has to be put right first.")
    block_number = serializers.IntegerField(help_text="Checked on the state of this block.")


class DraftSerializer(serializers.Serializer[Any]):
    """A draft, as kept."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    description = serializers.CharField()
    actions = serializers.ListField(child=serializers.DictField())
    step = serializers.IntegerField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class DraftInputSerializer(serializers.Serializer[Any]):
    """A draft, as saved. Nothing in it has to be finished."""

    title = serializers.CharField(max_length=256, allow_blank=True, default="")
    description = serializers.CharField(
        max_length=40_960, allow_blank=True, default="", trim_whitespace=False
    )
    actions = serializers.ListField(
        child=serializers.DictField(), max_length=20, default=list, allow_empty=True
    )
    step = serializers.IntegerField(min_value=1, max_value=5, default=1)


class DraftSaveSerializer(DraftInputSerializer):
    """A draft saved over the version it was loaded with."""

    version = serializers.IntegerField(min_value=1, max_value=2_000_000_000)


class TransactionInputSerializer(serializers.Serializer[Any]):
    """A transaction the wallet just sent."""

    hash = Hash32SerializerField()
    purpose = serializers.ChoiceField(
        choices=["propose", "vote", "delegate", "queue", "execute", "cancel", "other"],
        default="other",
    )
    proposal_id = Uint256SerializerField(required=False, allow_null=True)


class TransactionSerializer(serializers.Serializer[Any]):
    """How a watched transaction is doing."""

    hash = Hash32SerializerField(source="transaction_hash")
    purpose = serializers.CharField()
    state = serializers.ChoiceField(
        choices=["pending", "mined", "indexed", "finalized", "reverted", "replaced", "dropped"]
    )
    block_number = serializers.IntegerField(allow_null=True)
    replaced_by = Hash32SerializerField(allow_null=True)
    proposal_id = Uint256SerializerField(allow_null=True)
    sentence = serializers.CharField()
    submitted_at = serializers.DateTimeField()


class SimulateInputSerializer(serializers.Serializer[Any]):
    """A call to one of our contracts, to be run without sending it."""

    to = AddressSerializerField()
    data = HexSerializerField(max_length=256 * 1024)  # type: ignore[assignment]
    value_wei = Uint256SerializerField(required=False, default=0)

    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of Python's and cannot be an attribute.
        return {"from": AddressSerializerField(), **super().get_fields()}


class SimulationSerializer(serializers.Serializer[Any]):
    """What would happen. `code` and `detail` say why not."""

    ok = serializers.BooleanField()
    gas = serializers.IntegerField(allow_null=True, help_text="Gas units, without headroom.")
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class CommentSerializer(serializers.Serializer[Any]):
    """A comment. Removed ones keep their place and lose their words."""

    id = serializers.IntegerField()
    parent_id = serializers.IntegerField(allow_null=True)
    author = AddressSerializerField()
    body = serializers.SerializerMethodField()
    html = serializers.SerializerMethodField(help_text="The body as safe HTML.")
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted = serializers.SerializerMethodField()
    hidden_reason = serializers.CharField()

    def get_body(self, row: Any) -> str:
        return "" if row.hidden_at else row.body

    def get_html(self, row: Any) -> str:
        from governance.markdown import render_markdown

        return str(render_markdown(self.get_body(row)))

    def get_deleted(self, row: Any) -> bool:
        return row.deleted_at is not None


class CommentInputSerializer(serializers.Serializer[Any]):
    """A comment to write. Markdown without HTML."""

    body = serializers.CharField(max_length=20_000, trim_whitespace=False)
    parent_id = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**62
    )


class ReportInputSerializer(serializers.Serializer[Any]):
    """Why moderators should look."""

    reason = serializers.ChoiceField(choices=["scam", "spam", "offensive", "duplicate"])
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class SettledSerializer(serializers.Serializer[Any]):
    """It was taken down."""

    ok = serializers.BooleanField()


class ModerationActionSerializer(serializers.Serializer[Any]):
    """One act in the public log."""

    act = serializers.CharField()
    subject_kind = serializers.CharField()
    subject_id = serializers.CharField()
    proposal_id = Uint256SerializerField(allow_null=True)
    reason = serializers.CharField()
    note = serializers.CharField()
    moderator = serializers.CharField(source="moderator.username")
    created_at = serializers.DateTimeField()
