"""``python -m demo``: start everything and print the address; with ONCE=1 prove it and stop."""

import os
import sys
import time

from config.embedded import EmbeddedError, terminate_as_interrupt
from demo.build import StepFailed, World, engines_run, world_build
from demo.chain import ActorReverted
from demo.life import Life
from demo.processes import ProcessEnded, Processes, start_site
from demo.settings import BASE_DIR, DemoFolder, web_port

WELCOME = """
  Althing is at {url}

  Press "Sign in" and choose "Demo wallet": it holds accounts of this local chain.
  The console is at {url}/admin/; its user and second factor: {console}
  Logs: {logs}
  Ctrl-C stops everything; the next start takes seconds. "make demo-reset" begins anew.
"""
CHECK_EVERY_S = 1.0
#: Room for the proof's own vote: delay, period, extension, timelock, and slack.
STORY_S = 30 * 60


def main() -> int:
    """0 when stopped by a person or proven; 1 when something failed, which is said."""
    once = os.environ.get("ONCE", "") not in {"", "0"}
    folder = DemoFolder(BASE_DIR / "var" / ("once" if once else "demo"))
    try:
        with terminate_as_interrupt():
            return _once(folder) if once else _stay(folder)
    except KeyboardInterrupt:
        return 0
    except (ActorReverted, EmbeddedError, ProcessEnded, StepFailed) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1


def _stay(folder: DemoFolder) -> int:
    with engines_run(folder) as engines:
        port = web_port()
        world = world_build(folder, engines, port=port)
        processes = Processes(folder.logs, world.environment)
        try:
            start_site(processes, port=port, state=folder.root)
            with Life(world):
                print(
                    WELCOME.format(url=world.url, console=folder.console, logs=folder.logs),
                    flush=True,
                )
                while True:
                    time.sleep(CHECK_EVERY_S)
                    processes.check()
                    engines.check()
        finally:
            processes.stop()


def _once(folder: DemoFolder) -> int:
    from demo.once import prove

    # A proof starts from nothing.
    folder.complete.unlink(missing_ok=True)
    with engines_run(folder) as engines:
        port = web_port()
        world: World = world_build(folder, engines, port=port, behind_s=STORY_S)
        processes = Processes(folder.logs, world.environment)
        try:
            start_site(processes, port=port, state=folder.root)
            return prove(world, processes)
        finally:
            processes.stop()


if __name__ == "__main__":
    sys.exit(main())
