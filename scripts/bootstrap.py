"""Set up this checkout from nothing but Python, and run its commands: `make help` lists them.

Standard library only: it runs before anything is installed. What it does is stamped by the hash of
its inputs in .cache/bootstrap, so that a second run takes a moment.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - what an older one can say
    sys.exit(
        "Althing needs Python 3.11 or newer; this is {}.{}. "
        "Install it and run: make PYTHON=python3.11 ...".format(*sys.version_info)
    )

from bootstrap_run import (
    CACHE,
    ROOT,
    VENV,
    VENV_PYTHON,
    Log,
    SetupError,
    Step,
    alone,
    environment,
    perform,
    say,
)

REQUIREMENTS = ROOT / "requirements"
SAMPLES = CACHE / "nvidia-samples"
FRONTEND = ROOT / "frontend"
# Exact, and not from a lock: a lock made on one platform lacks the binaries of the others.
CHAIN_TOOLS = (
    "@foundry-rs/anvil@1.7.1",
    "@foundry-rs/forge@1.7.1",
    "solc@0.8.37",
    "@openzeppelin/contracts@5.7.0",
    # For the tests alone: the governors of others, as they stand on chains.
    "openzeppelin-v4@npm:@openzeppelin/contracts@4.9.6",
    "@uniswap/governance@1.0.2",
)
NODE_MAJOR = 20
AGENT_SCRIPT = """#!/bin/sh
exec "$(dirname "$0")/python" -c '
import sys
from network.agent.cli import main
sys.argv[0] = "althing-node"
sys.exit(main())' "$@"
"""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
#: What the environment's Python is given once everything is installed.
COMMANDS = {
    "demo": ["-m", "demo"],
    "test": [str(ROOT / "scripts" / "check.py"), "all"],
    "lint": [str(ROOT / "scripts" / "check.py"), "lint"],
    "chaos": ["-m", "bench.chaos"],
    "bench-attest": ["-m", "bench.attestation"],
    "bench-index": ["-m", "bench.index_chain"],
    "bench-reorg": ["-m", "bench.reorg"],
    "fuzz": ["-m", "bench.fuzz"],
}
LOCKS = (
    ("dev", ()),
    ("base", ("-c", "requirements/dev.txt")),
    ("agent", ("-c", "requirements/base.txt")),
    ("uv", ()),
    ("node", ()),
    ("samples", ("--no-deps",)),
)


def venv_create(log: Log) -> None:
    """Make .venv with the Python that runs this; one that works is kept."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    if VENV_PYTHON.exists() and log.attempt(VENV_PYTHON, "-c", probe) == 0:
        return
    if VENV.exists():
        shutil.rmtree(VENV)
    if log.attempt(sys.executable, "-m", "venv", VENV) != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment.\n"
            "  Next: on Debian and Ubuntu, apt-get install python3-venv; "
            "or name another Python: make PYTHON=..."
        )
    if sys.version_info >= (3, 13):
        log.note("Python 3.13 and newer build NumPy from source: five minutes, and a C compiler.")


def uv_install(log: Log) -> None:
    """Install uv, which installs the rest, by its hash."""
    log.run(VENV_PYTHON, "-m", "pip", "install", "--require-hashes", "-r", REQUIREMENTS / "uv.txt")


def packages_install(log: Log) -> None:
    """Install the locked packages with uv; with pip, slower, where uv cannot."""
    lock = REQUIREMENTS / "dev.txt"
    uv = VENV / "bin" / "uv"
    install = (uv, "pip", "install", "--python", VENV_PYTHON, "--require-hashes", "-r", lock)
    if log.attempt(*install) == 0:
        return
    say("      uv could not; trying pip, which takes about a minute longer ...")
    log.run(VENV_PYTHON, "-m", "pip", "install", "--no-deps", "--require-hashes", "-r", lock)


def command_install(log: Log) -> None:
    """Put the checkout on the environment's path, and `althing-node` into its bin.

    What an editable install would do, without a build backend from outside the locks.
    """
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([VENV_PYTHON, "-c", code], capture_output=True, text=True, check=True)
    (Path(done.stdout.strip()) / "althing.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    script = VENV / "bin" / "althing-node"
    script.write_text(AGENT_SCRIPT, encoding="utf-8")
    script.chmod(0o755)


def node_install(log: Log) -> None:
    """Find Node, or install it as a wheel."""
    found = node_version()
    if node_usable() == "True" and shutil.which("npm", path=log.env["PATH"]):
        log.note(f"Node {found} of this machine is used.")
        return
    log.note("This machine has no Node or an old one: installed it as a Python wheel.")
    log.run(
        VENV_PYTHON, "-m", "pip", "install", "--require-hashes", "-r", REQUIREMENTS / "node.txt"
    )


def node_usable() -> str:
    """Say whether a Node that is new enough is in PATH, as an input of the step's stamp."""
    return str(node_version() >= NODE_MAJOR)


def node_version() -> int:
    """Return the major version of the Node in PATH, 0 without one."""
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    node = shutil.which("node", path=path)
    if node is None:
        return 0
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    match = re.match(r"v(\d+)\.", done.stdout)
    return int(match[1]) if match else 0


def chain_tools_install(log: Log) -> None:
    """Install anvil, forge, solc and OpenZeppelin's sources into node_modules."""
    flags = "--no-save --no-package-lock --ignore-scripts --no-audit --no-fund".split()
    log.run("npm", "install", *flags, "--prefix", ROOT, *CHAIN_TOOLS)
    if not list((ROOT / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*")):
        log.note("There is no anvil for this machine: install Foundry and set ANVIL_BIN.")


def frontend_install(log: Log) -> None:
    """Install the pages' packages by their lock."""
    log.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=FRONTEND)


def frontend_build(log: Log) -> None:
    """Bundle scripts and styles into frontend/dist."""
    log.run("npm", "run", "build", cwd=FRONTEND)


def chromium_find() -> str | None:
    """Return the path of a Chromium: `CHROMIUM_BIN`, else one in PATH."""
    chosen = os.environ.get("CHROMIUM_BIN")
    return chosen or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def chromium_state() -> str:
    """Return what the browser step depends on: the browser there is, and whether one must be."""
    return chromium_find() or f"none {os.environ.get('ALTHING_REQUIRE_BROWSER', '')}"


def chromium_install(log: Log) -> None:
    """Find Chromium, or let apt install it where we are root; else say what is skipped."""
    if chromium_find():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        log.run("apt-get", "update", env=quiet)
        packages = ("chromium", "fonts-dejavu-core")
        log.run("apt-get", "install", "-y", "--no-install-recommends", *packages, env=quiet)
    if chromium_find():
        return
    advice = "install it (sudo apt-get install chromium) or set CHROMIUM_BIN"
    if os.environ.get("ALTHING_REQUIRE_BROWSER"):
        raise SetupError(f"There is no Chromium, and this run needs one.\n  Next: {advice}.")
    log.note(f"There is no Chromium: THE BROWSER TESTS WILL BE SKIPPED. To run them, {advice}.")


def samples_unpack(log: Log) -> None:
    """Unpack NVIDIA's sample evidence and certificates. Data only: no module of that wheel is
    installed.
    """
    downloads = CACHE / "downloads"
    command = [str(VENV_PYTHON), "-m", "pip", "download", "--no-deps", "--require-hashes"]
    log.run(*command, "-r", REQUIREMENTS / "samples.txt", "-d", downloads)
    shutil.rmtree(SAMPLES, ignore_errors=True)
    wheel = max(downloads.glob("nv_local_gpu_verifier-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(("verifier/samples/", "verifier/certs/")) or "LICENSE" in name:
                archive.extract(name, SAMPLES)


def setup_steps(*, browser: bool, samples: bool) -> list[Step]:
    """Return every step of the set-up, in order."""
    modules = ROOT / "node_modules"
    lock = [FRONTEND / "package.json", FRONTEND / "package-lock.json"]
    sources = [FRONTEND / "src", FRONTEND / "build.mjs", FRONTEND / "tsconfig.json"]
    steps = [
        Step(
            "venv",
            "Virtual environment",
            venv_create,
            [],
            [VENV_PYTHON],
            "5 s",
        ),
        Step(
            "uv",
            "uv, the installer",
            uv_install,
            [REQUIREMENTS / "uv.txt"],
            [VENV / "bin/uv"],
            "3 s",
        ),
        Step(
            "packages",
            "Python packages by their hashes",
            packages_install,
            [REQUIREMENTS / "dev.txt"],
            [VENV / "bin" / "django-admin", VENV / "bin" / "ape"],
            "10 to 90 s",
        ),
        Step(
            "command",
            "The althing-node command",
            command_install,
            [AGENT_SCRIPT],
            [VENV / "bin" / "althing-node"],
            "1 s",
        ),
        Step(
            "node",
            "Node",
            node_install,
            [REQUIREMENTS / "node.txt", node_usable],
            [],
            "0 to 5 s",
        ),
        Step(
            "chain-tools",
            "Local chain and compiler: anvil, forge, solc",
            chain_tools_install,
            list(CHAIN_TOOLS),
            [modules / name for name in ("solc", "@openzeppelin/contracts", "openzeppelin-v4")],
            "5 to 20 s",
        ),
        Step(
            "frontend",
            "The pages' packages",
            frontend_install,
            lock,
            [FRONTEND / "node_modules" / "esbuild"],
            "5 to 20 s",
        ),
        Step(
            "pages",
            "Scripts and styles of the pages",
            frontend_build,
            [*lock, *sources],
            [FRONTEND / "dist" / "althing" / "app.css"],
            "3 s",
        ),
    ]
    if samples:
        steps.append(
            Step(
                "samples",
                "NVIDIA's sample evidence",
                samples_unpack,
                [REQUIREMENTS / "samples.txt"],
                [SAMPLES / "verifier" / "samples"],
                "2 s",
            )
        )
    if browser:
        steps.append(
            Step(
                "chromium",
                "Chromium for the browser tests",
                chromium_install,
                [chromium_state],
                [],
                "0 to 60 s",
            )
        )
    return steps


def locks_write(env: dict[str, str]) -> None:
    """Resolve requirements/*.in again, base and dev together, with hashes."""
    fixed = "--python-version 3.11 -q --generate-hashes --no-header".split()
    # Where this machine installs from is nobody else's business.
    fixed += "--no-emit-index-url --no-emit-find-links".split()
    for name, extra in LOCKS:
        say(f"requirements/{name}.txt ...")
        command = [VENV / "bin" / "uv", "pip", "compile", *fixed, *extra]
        command += [f"requirements/{name}.in", "-o", f"requirements/{name}.txt"]
        subprocess.run(command, cwd=ROOT, env=env, check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up, then become the command that was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["setup", "lock", *COMMANDS])
    # What follows is the command's own: python scripts/bootstrap.py chaos --only F4
    options, rest = parser.parse_known_args(arguments)
    os.chdir(ROOT)
    env = environment()
    once = bool(os.environ.get("ONCE", "").strip())
    # `demo ONCE=1` drives a real browser; without one it must fail rather than skip.
    if options.command == "demo" and once:
        os.environ["ALTHING_REQUIRE_BROWSER"] = "1"
    browser = options.command in {"test", "setup"} or once
    samples = options.command in {"test", "setup", "bench-attest"}
    try:
        with alone():
            perform(setup_steps(browser=browser, samples=samples), env)
        if options.command == "lock":
            locks_write(env)
    except SetupError as error:
        say(f"\nThe set-up stopped: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped; the finished steps are kept.")
        return 130
    chromium = chromium_find()
    if chromium:
        env["CHROMIUM_BIN"] = chromium
    if options.command in COMMANDS:
        sys.stdout.flush()
        command = [str(VENV_PYTHON), *COMMANDS[options.command], *rest]
        os.execve(VENV_PYTHON, command, env)  # noqa: S606 - our own interpreter
    return 0


if __name__ == "__main__":
    sys.exit(main())
