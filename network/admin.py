"""The network's tables in the console: to look at. Only a key may be revoked, with a reason."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from chain import clock
from network import admin_standing  # noqa: F401 (registers its tables)
from network.admin_base import ReadOnlyAdmin, ReasonForm
from network.errors import NetworkError
from network.models import (
    AllowList,
    Attestation,
    AttestationEvidence,
    AttestationState,
    ChainCertificate,
    Challenge,
    CollateralVersion,
    ComputeCohort,
    ComputeEpoch,
    ComputeRound,
    ComputeTask,
    Crl,
    Device,
    DeviceFinding,
    EnergyHour,
    EnergyReading,
    Epoch,
    EpochLeaf,
    EpochLedger,
    EpochRecord,
    IdempotencyKey,
    Node,
    NodeCase,
    NodeEvent,
    NodeKey,
    NodeKeyEvent,
    OcspResponse,
    Parameter,
    ParameterChange,
    ParameterSet,
    ParameterTightening,
    Rim,
    SignatureNonce,
    Verdict,
)
from network.services.keys import key_revoke


@admin.register(Parameter)
class ParameterAdmin(ReadOnlyAdmin):
    list_display = ["name", "kind", "value", "risk_class", "version", "last_changed_at"]
    list_filter = ["group", "kind", "risk_class"]
    search_fields = ["name"]


@admin.register(ParameterSet)
class ParameterSetAdmin(ReadOnlyAdmin):
    list_display = ["set_id", "scheduled_at", "effective_at", "vetoed_at", "withdrawn_at"]


@admin.register(ParameterChange)
class ParameterChangeAdmin(ReadOnlyAdmin):
    list_display = ["parameter", "old", "new", "set", "effective_at"]
    list_select_related = ["parameter", "set"]


@admin.register(ParameterTightening)
class ParameterTighteningAdmin(ReadOnlyAdmin):
    list_display = ["parameter", "from_value", "to_value", "tightened_at", "lapses_at"]
    list_select_related = ["parameter"]


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "status", "gpu_class", "gpu_count", "region", "registered_at"]
    list_filter = ["status", "gpu_class"]


@admin.register(NodeEvent)
class NodeEventAdmin(ReadOnlyAdmin):
    list_display = ["event", "node", "occurred_at", "block_number"]
    list_filter = ["event"]
    list_select_related = ["node"]


@admin.register(NodeKey)
class NodeKeyAdmin(ReadOnlyAdmin):
    list_display = ["key_id", "node", "status", "verified_at", "ended_at"]
    list_filter = ["status"]
    search_fields = ["key_id"]
    list_select_related = ["node"]
    action_form = ReasonForm
    actions = ["keys_revoke"]

    @admin.action(description="Revoke (say why)", permissions=["revoke"])
    def keys_revoke(self, request: HttpRequest, queryset: QuerySet[NodeKey]) -> None:
        """Revoke the chosen keys for good. Each act leaves its audit row."""
        actor = f"staff {request.user.get_username()}"
        reason = request.POST.get("reason", "")
        for key in queryset:
            try:
                key_revoke(key_id=key.key_id, actor=actor, reason=reason, at=clock.now())
            except NetworkError as error:
                self.message_user(request, f"{key.key_id}: {error.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{key.key_id} is revoked.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("network.change_nodekey")


@admin.register(EnergyReading)
class EnergyReadingAdmin(ReadOnlyAdmin):
    list_display = ["gpu_uuid", "node", "at_ms", "energy_mj", "power_mw"]
    search_fields = ["gpu_uuid"]
    list_select_related = ["node"]


@admin.register(EnergyHour)
class EnergyHourAdmin(ReadOnlyAdmin):
    list_display = ["node", "starts_at", "best_mj", "covered_ms", "implausible_count"]
    list_select_related = ["node"]


@admin.register(NodeKeyEvent)
class NodeKeyEventAdmin(ReadOnlyAdmin):
    list_display = ["occurred_at", "action", "key", "actor", "reason"]
    list_filter = ["action"]


@admin.register(Challenge)
class ChallengeAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "purpose", "issued_at", "expires_at", "used_at"]
    list_filter = ["purpose"]


@admin.register(Attestation)
class AttestationAdmin(ReadOnlyAdmin):
    list_display = ["id", "node", "seq", "device_count", "received_at"]
    list_select_related = ["node"]


@admin.register(AttestationEvidence)
class AttestationEvidenceAdmin(ReadOnlyAdmin):
    list_display = ["attestation_id", "received_at"]
    exclude = ["body"]


@admin.register(Verdict)
class VerdictAdmin(ReadOnlyAdmin):
    list_display = ["id", "node", "status", "tier", "policy_version", "emulated", "judged_at"]
    list_filter = ["status", "emulated"]
    list_select_related = ["node"]


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "node", "chip", "emulated", "node_since_at", "last_seen_at"]
    list_filter = ["kind", "emulated"]
    list_select_related = ["node"]


@admin.register(DeviceFinding)
class DeviceFindingAdmin(ReadOnlyAdmin):
    list_display = ["code", "severity", "verdict", "device_index", "detail"]
    list_filter = ["severity"]


@admin.register(AttestationState)
class AttestationStateAdmin(ReadOnlyAdmin):
    list_display = ["node", "last_seq", "strikes", "good_in_row", "latest_verdict"]
    list_select_related = ["node", "latest_verdict"]


@admin.register(SignatureNonce)
class SignatureNonceAdmin(ReadOnlyAdmin):
    list_display = ["key_id", "nonce", "expires_at"]
    search_fields = ["key_id"]


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "status_code", "created_at", "expires_at"]


@admin.register(Rim)
class RimAdmin(ReadOnlyAdmin):
    list_display = ["rim_id", "kind", "version", "valid_until", "withdrawn_at", "emulated"]
    list_filter = ["kind", "emulated"]
    search_fields = ["rim_id"]
    exclude = ["xml"]


@admin.register(ChainCertificate)
class ChainCertificateAdmin(ReadOnlyAdmin):
    list_display = ["subject", "serial", "is_device", "last_seen_at", "ocsp_due_at", "ocsp_error"]
    list_filter = ["is_device", "emulated"]
    exclude = ["der"]


@admin.register(OcspResponse)
class OcspResponseAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "certificate", "state", "this_update", "next_update", "received_at"]
    list_filter = ["state"]
    list_select_related = ["certificate"]
    exclude = ["der"]


@admin.register(Crl)
class CrlAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "issuer", "entries", "this_update", "next_update", "received_at"]
    list_select_related = ["issuer"]
    exclude = ["der"]


@admin.register(AllowList)
class AllowListAdmin(ReadOnlyAdmin):
    list_display = ["kind", "__str__", "source", "ingested_at"]
    list_filter = ["kind"]


@admin.register(CollateralVersion)
class CollateralVersionAdmin(ReadOnlyAdmin):
    list_display = ["rims", "revocation"]


@admin.register(EpochLedger)
class EpochLedgerAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "chain_id", "first_epoch"]


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    list_display = ["number", "revision", "ends_at", "count", "total_seconds", "intent"]
    list_select_related = ["intent"]
    exclude = ["piece_roots"]


@admin.register(EpochLeaf)
class EpochLeafAdmin(ReadOnlyAdmin):
    list_display = ["epoch", "index", "verdict_id", "tier", "status", "seconds_attested"]
    list_select_related = ["epoch"]


@admin.register(EpochRecord)
class EpochRecordAdmin(ReadOnlyAdmin):
    list_display = ["epoch", "count", "total_seconds", "posted_at", "usable_at", "voided_at"]


@admin.register(ComputeEpoch)
class ComputeEpochAdmin(ReadOnlyAdmin):
    list_display = ["number"]


@admin.register(ComputeCohort)
class ComputeCohortAdmin(ReadOnlyAdmin):
    list_display = ["id", "reason", "starts_at", "formed_at"]
    list_filter = ["reason"]


@admin.register(ComputeRound)
class ComputeRoundAdmin(ReadOnlyAdmin):
    list_display = ["id", "node", "status", "deadline_class", "basis", "starts_at", "ended_at"]
    list_filter = ["status", "basis"]
    list_select_related = ["node"]


@admin.register(ComputeTask)
class ComputeTaskAdmin(ReadOnlyAdmin):
    list_display = ["id", "round", "position", "gpu_id", "status"]
    list_filter = ["status"]
    # A nonce must not be seen before its round is over.
    exclude = ["state", "opening"]


@admin.register(NodeCase)
class NodeCaseAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "node", "kind", "status", "opened_at", "expires_at", "ended_at"]
    list_filter = ["kind", "status"]
    list_select_related = ["node"]
