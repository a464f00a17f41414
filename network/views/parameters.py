"""Parameters: the list, and one parameter with its whole history."""

from dataclasses import dataclass

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from network.charts import Step, StepChart, step_chart
from network.models import Parameter, SetStatus
from network.selectors.parameters import (
    HistoryEntry,
    ParameterState,
    parameter_history,
    parameter_state,
    parameter_states,
)
from network.units import group_name, purpose_of, value_human
from network.views.common import chain_time

SORTS = {"name": "Name", "changed": "Changed lately", "risk": "Risk"}
_RISK_ORDER = {"C": 0, "S": 1, "R": 2}


class ParameterFilter(forms.Form):
    """What the list can be asked."""

    q = forms.CharField(required=False, max_length=64)
    group = forms.CharField(required=False, max_length=64)
    sort = forms.ChoiceField(required=False, choices=list(SORTS.items()))
    pending = forms.BooleanField(required=False)


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One line of the list, in words."""

    state: ParameterState
    value: str
    bounds: str
    pending: str

    @property
    def transaction_hash(self) -> bytes:
        """What the proposal is joined by."""
        return self.state.changed_tx


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of a parameter's history, in words."""

    entry: HistoryEntry
    old: str
    new: str

    @property
    def transaction_hash(self) -> bytes:
        return self.entry.transaction_hash


@require_safe
def parameter_list(request: HttpRequest) -> HttpResponse:
    """Show every parameter. 4 queries of its own."""
    form = ParameterFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The parameters cannot be asked that.")
    wanted = form.cleaned_data
    everything = list(Parameter.objects.all())
    states = parameter_states(everything, at=chain_time())
    rows = [_row(state) for state in _chosen(states, wanted)]
    groups = sorted({row.group for row in everything})
    context = {
        "rows": rows,
        "total": len(everything),
        "pending_count": sum(1 for state in states if state.pending),
        "groups": [(group, group_name(group)) for group in groups],
        "sorts": list(SORTS.items()),
        "wanted": wanted,
        "is_filtered": any(wanted[name] for name in ("q", "group", "pending")),
    }
    return render(request, "network/parameter_list.html", context)


def _chosen(states: list[ParameterState], wanted: dict[str, str]) -> list[ParameterState]:
    text = wanted["q"].strip().lower()
    found = [
        state
        for state in states
        if text in f"{state.parameter.name} {purpose_of(state.parameter.name).lower()}"
        and wanted["group"] in ("", state.parameter.group)
        and (state.pending is not None or not wanted["pending"])
    ]
    if wanted["sort"] == "changed":
        found.sort(key=lambda state: state.changed_at, reverse=True)
    elif wanted["sort"] == "risk":
        found.sort(key=lambda state: _RISK_ORDER[state.parameter.risk_class])
    return found


def _row(state: ParameterState) -> ParameterRow:
    parameter = state.parameter
    pending = ""
    if state.pending is not None:
        old = value_human(parameter, state.voted_value)
        pending = f"{old} → {value_human(parameter, state.pending.new)}"
    return ParameterRow(
        state=state,
        value=value_human(parameter, state.value),
        bounds=bounds_words(parameter),
        pending=pending,
    )


def bounds_words(parameter: Parameter) -> str:
    """The hard bounds in words; empty for a Merkle root, which has none."""
    if not parameter.is_numeric:
        return ""
    low, high = str(parameter.min), str(parameter.max)
    return f"{value_human(parameter, low)} to {value_human(parameter, high)}"


@require_safe
def parameter_detail(request: HttpRequest, name: str) -> HttpResponse:
    """Show one parameter: value, rules, what is pending, and everything that ever happened."""
    parameter = Parameter.objects.filter(name=name).first()
    if parameter is None:
        raise Http404("No parameter of this name is defined on chain.")
    at = chain_time()
    state = parameter_state(parameter, at=at)
    history = parameter_history(parameter, at=at)
    lowest_highest = state.allowed
    context = {
        "parameter": parameter,
        "state": state,
        "row": _row(state),
        "purpose": purpose_of(parameter.name),
        "group": group_name(parameter.group),
        "allowed": None
        if lowest_highest is None
        else [value_human(parameter, str(value)) for value in lowest_highest],
        "allowed_from": state.allowed_at_s if state.allowed_at_s > int(at.timestamp()) else None,
        "tightened": value_human(parameter, state.tightening.to_value) if state.tightening else "",
        "chart": _chart(state, history) if parameter.is_numeric else None,
        "history": [
            HistoryRow(
                entry,
                value_human(parameter, entry.old) if entry.old else "",
                value_human(parameter, entry.new) if entry.new else "",
            )
            for entry in history
        ],
    }
    return render(request, "network/parameter_detail.html", context)


def _chart(state: ParameterState, history: list[HistoryEntry]) -> StepChart | None:
    """The voted value over time; None where there is nothing to draw yet."""
    dropped = {SetStatus.VETOED, SetStatus.WITHDRAWN}
    counted = [
        entry
        for entry in reversed(history)
        if entry.kind in ("defined", "set") and entry.status not in dropped
    ]
    counted.sort(key=lambda entry: entry.effective_at)
    if len(counted) < 2:
        return None
    steps = [
        Step(
            entry.effective_at,
            int(entry.new),
            f"{entry.effective_at:%Y-%m-%d %H:%M} UTC: {value_human(state.parameter, entry.new)}",
        )
        for entry in counted
    ]
    return step_chart(steps, now=chain_time())
