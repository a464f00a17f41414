"""Standings, tiers and incidents in the API."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import Hash32SerializerField
from network.models import IncidentAction, IncidentState
from network.selectors.incidents import next_step
from network.selectors.standing import Standing, StandingWord


class StandingSerializer(serializers.Serializer[Standing]):
    """Whether the node counts under the policy in force now, and why."""

    standing = serializers.ChoiceField(StandingWord.choices)
    counts = serializers.BooleanField(
        help_text="Whether the node counts. Where it does not, it is withheld: nobody should send "
        "it work or pay it on the strength of its reports."
    )
    sentence = serializers.CharField()
    next_step = serializers.SerializerMethodField(help_text="What the operator does next.")
    at = serializers.DateTimeField()
    policy_version = serializers.IntegerField(help_text="The policy in force.")
    judged_by_policy_version = serializers.IntegerField(
        allow_null=True, help_text="The policy of the verdict that the standing rests on."
    )
    ttl_s = serializers.IntegerField(help_text="`attest.ttl` now, in seconds.")
    judged_ttl_s = serializers.IntegerField(
        allow_null=True, help_text="`attest.ttl` when the verdict was made."
    )
    required_tier = serializers.IntegerField()
    strikes = serializers.IntegerField(help_text="Refused reports that were the node's own fault.")
    strikes_max = serializers.IntegerField(help_text="`slash.strikes`: from there it fails.")
    good_in_row = serializers.IntegerField(help_text="Accepted reports since the last strike.")
    good_needed = serializers.IntegerField(
        help_text="`attest.trust_consecutive`: so many in a row clear the strikes."
    )
    fresh_until = serializers.DateTimeField(
        allow_null=True, help_text="As promised under the verdict's own policy."
    )
    fresh_until_under_current_policy = serializers.DateTimeField(allow_null=True)

    def get_next_step(self, standing: Standing) -> str:
        return next_step(standing)


class TierSerializer(serializers.Serializer[Any]):
    """One rung of the ladder of assurance."""

    level = serializers.IntegerField()
    code = serializers.CharField(help_text="`T0` to `T5`.")
    name = serializers.CharField()
    proves = serializers.CharField(help_text="What it proves, in plain words.")
    leaves_open = serializers.CharField(help_text="What it does not prove.")


class LadderSerializer(serializers.Serializer[Any]):
    """The ladder of assurance, T0 to T5."""

    note = serializers.CharField(help_text="What holds for every tier.")
    tiers = TierSerializer(many=True)


class IncidentEventSerializer(serializers.Serializer[Any]):
    """One line of an incident's history."""

    action = serializers.CharField()
    by = serializers.CharField(help_text="`service` or `staff`.")
    reason = serializers.CharField()
    occurred_at = serializers.DateTimeField()


class IncidentSerializer(serializers.Serializer[Any]):
    """Why a node stopped counting, what was done, how it is cured and how to appeal."""

    id = serializers.IntegerField()
    node_id = Hash32SerializerField()
    state = serializers.ChoiceField(IncidentState.choices)
    code = serializers.CharField(help_text="The finding's code, as the registry gets it.")
    sentence = serializers.CharField()
    next_step = serializers.CharField()
    appeal = serializers.CharField()
    strikes = serializers.IntegerField()
    policy_version = serializers.IntegerField()
    verdict_id = serializers.IntegerField(help_text="The evidence: `/api/v1/verdicts/<id>/`.")
    evidence_hash = Hash32SerializerField(
        help_text="The verdict's hash, which the suspension names on chain."
    )
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    action = serializers.ChoiceField(
        IncidentAction.choices, help_text="How far the suspension on chain came."
    )
    action_sentence = serializers.CharField()
    suspension_hash = Hash32SerializerField(
        allow_null=True, help_text="The transaction that suspended the node."
    )
    history = IncidentEventSerializer(many=True)
