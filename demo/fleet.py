"""The demo's nodes (being built)."""

import threading

from demo.chain import LocalChain
from demo.settings import DemoFolder


def fleet_register(chain: LocalChain, folder: DemoFolder) -> None:
    return None


class Fleet:
    def __init__(self, *a: object) -> None: ...
    def run(self, ended: threading.Event) -> None:
        ended.wait()
