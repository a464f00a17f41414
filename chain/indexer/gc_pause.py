"""Work without Python's cycle collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Without the cycle collector, which makes up for it afterwards: a window is a million objects
    and no cycle, and looking through them again and again takes a fifth of the time. While a block
    is being committed, one such look would take longer than the block."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
