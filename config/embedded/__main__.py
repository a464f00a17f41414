"""`python -m config.embedded [--chain] [--folder var/dev]`: run the engines until Ctrl-C and print
their addresses.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from config.embedded.anvil import BASE_DIR, AnvilServer
from config.embedded.process import EmbeddedError
from config.embedded.supervisor import Supervisor, terminate_as_interrupt

CHECK_EVERY_S = 1.0


def main() -> int:
    """Run until a signal; 0 after Ctrl-C, 1 when an engine could not start or ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=BASE_DIR / "var" / "dev", help="where the data is kept"
    )
    parser.add_argument(
        "--chain", action="store_true", help="start anvil too, one block per second"
    )
    options = parser.parse_args()
    folder = options.folder.resolve()
    anvil = AnvilServer(folder / "anvil", block_time_s=1) if options.chain else None
    try:
        with terminate_as_interrupt(), Supervisor(folder, anvil=anvil) as engines:
            for name, value in engines.environment().items():
                sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
            sys.stdout.flush()
            while True:
                time.sleep(CHECK_EVERY_S)
                engines.check()
    except KeyboardInterrupt:
        return 0
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
