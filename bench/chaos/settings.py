"""The tests' settings with the real chain parameters left to the environment."""

from config.env import read_environment
from config.settings.test import *  # noqa: F403

CHAIN_FINALITY = read_environment().chain_finality
EMULATOR_ROOT_DIR = read_environment().althing_emulator_root
# Wei per gas. Low enough for a fee spike to pass it, high enough for one that only needs a bump.
KEEPER_MAX_FEE_PER_GAS_WEI = 200 * 10**9
# Seconds. A fault must not take half a minute to be due.
KEEPER_BUMP_AFTER_S = 0.3
