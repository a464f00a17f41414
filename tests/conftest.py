"""What holds for every test: how Hypothesis searches."""

import os

from hypothesis import HealthCheck, settings

# No deadline: a busy machine is no fault of the code. The same examples for everyone, so that a
# failure here is a failure there; ALTHING_FUZZ=deep searches anew, and longer.
settings.register_profile(
    "althing",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("ALTHING_FUZZ") or "althing")
