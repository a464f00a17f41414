"""Compare what is indexed with what the chain itself answers, and flag every difference.

Nothing is repaired here: a difference is a fault of the index, of the node or of the contract, and
a person has to find out which. ``reconcile_run`` is called by ``manage.py reconcile`` and, once a
minute, by a worker's tick.
"""

from governance.reconcile.findings import Judged, findings_open
from governance.reconcile.run import ReconcileRefused, Report, reconcile_run, runs_expire
from governance.reconcile.scopes import Scope

__all__ = [
    "Judged",
    "ReconcileRefused",
    "Report",
    "Scope",
    "findings_open",
    "reconcile_run",
    "runs_expire",
]
