"""Why a deployment stops.

::

    DeploymentError
    ├── DeploymentRefused   the request itself is unsafe or incomplete; nothing was sent
    └── DeploymentUnsafe    what is on the chain is not what was meant; the file is not written
"""

from __future__ import annotations


class DeploymentError(Exception):
    """The deployment stopped; `code` says where."""

    code = "DEPLOYMENT_ERROR"


class DeploymentRefused(DeploymentError):
    """The request is unsafe or incomplete. Nothing was sent."""

    code = "DEPLOYMENT_REFUSED"


class DeploymentUnsafe(DeploymentError):
    """A role or setting on the chain is not what was meant. `findings` are sentences."""

    code = "DEPLOYMENT_UNSAFE"

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings
