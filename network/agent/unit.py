"""The systemd unit of ``althing-node run``: printed, never installed behind anybody's back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from network.agent.errors import KeysError

_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
#: What a path in a unit may be made of: systemd gives a meaning to quotes, blanks, % and $.
_PATH: Final = re.compile(r"/[A-Za-z0-9_./+@:-]*")

_UNIT: Final = """\
# Printed by `althing-node systemd`. Put it in /etc/systemd/system/althing-node.service, then:
#   systemctl daemon-reload && systemctl enable --now althing-node
[Unit]
Description=Althing node agent
Documentation=man:systemd.exec(5)
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target nvidia-persistenced.service

[Service]
Type=exec
User={user}
Environment=ALTHING_SERVER={server}
Environment=ALTHING_NODE_HOME={home}
ExecStart={program} --verbose run
Restart=on-failure
RestartSec=10
# The exit code for wrong files or keys: starting again would not mend them.
RestartPreventExitStatus=2 9
TimeoutStopSec=30

NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={home}
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
UMask=0077
# NVML needs the driver's devices and nothing else.
DevicePolicy=closed
DeviceAllow=char-nvidia rw
DeviceAllow=char-nvidiactl rw
DeviceAllow=char-nvidia-uvm rw
DeviceAllow=char-nvidia-caps rw

[Install]
WantedBy=multi-user.target
"""


def unit_text(*, program: Path, home: Path, server: str, user: str) -> str:
    """The unit for this installation.

    Raises:
        KeysError: ``unit_path|unit_server|unit_user`` for what systemd would read otherwise.
    """
    for path in (program, home):
        if not _PATH.fullmatch(str(path)):
            raise KeysError(
                "unit_path", f"{path} cannot stand in a unit; use a plain absolute path."
            )
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9_./:\[\]-]+", server):
        raise KeysError("unit_server", f"{server!r} is no address that a unit can hold.")
    if not _USER.fullmatch(user):
        raise KeysError("unit_user", f"{user!r} is no name of a user.")
    return _UNIT.format(program=program, home=home, server=server, user=user)
