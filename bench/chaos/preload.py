"""What the fork server loads once, so that every worker starts in milliseconds."""

import django

django.setup()

# Loaded before the fork, not after each.
from django.test import Client  # noqa: E402, F401

import bench.chaos.workers  # noqa: E402, F401
import chain.indexer.loop  # noqa: E402
import chain.sender.loop  # noqa: E402, F401
import governance.keeper  # noqa: E402, F401
