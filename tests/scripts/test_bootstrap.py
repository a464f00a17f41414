"""The set-up: done once per change of its inputs, and errors that say what to do next."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BASE_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """``scripts/bootstrap_run.py``, working in a folder of the test's own."""
    monkeypatch.syspath_prepend(str(BASE_DIR / "scripts"))
    module = importlib.import_module("bootstrap_run")
    for name, path in {
        "ROOT": tmp_path,
        "CACHE": tmp_path / ".cache",
        "STAMPS": tmp_path / ".cache" / "bootstrap",
    }.items():
        monkeypatch.setattr(module, name, path)
    return module


def counting_step(run: ModuleType, tmp_path: Path, **more: object) -> tuple[object, list[str]]:
    calls: list[str] = []
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("one", encoding="utf-8")

    def action(log: object) -> None:
        calls.append("done")
        (tmp_path / "output").write_text("made", encoding="utf-8")

    step = run.Step("demo", "A step", action, [source], [tmp_path / "output"], **more)
    return step, calls


def test_step_runs_once_until_an_input_changes(run: ModuleType, tmp_path: Path) -> None:
    step, calls = counting_step(run, tmp_path)
    run.perform([step], {})
    run.perform([step], {})
    assert calls == ["done"]
    (tmp_path / "source" / "a.txt").write_text("two", encoding="utf-8")
    run.perform([step], {})
    assert calls == ["done"] * 2
    (tmp_path / "source" / "b.txt").write_text("new", encoding="utf-8")
    run.perform([step], {})
    assert calls == ["done"] * 3


def test_step_runs_again_when_its_output_is_gone(run: ModuleType, tmp_path: Path) -> None:
    step, calls = counting_step(run, tmp_path)
    run.perform([step], {})
    (tmp_path / "output").unlink()
    run.perform([step], {})
    assert calls == ["done"] * 2


def test_step_that_makes_nothing_is_an_error(run: ModuleType, tmp_path: Path) -> None:
    step = run.Step("empty", "A step", lambda log: None, [], [tmp_path / "never"])
    with pytest.raises(run.SetupError, match="never is not there"):
        run.perform([step], {})
    assert not step.is_fresh()


def test_failed_step_is_not_stamped(run: ModuleType, tmp_path: Path) -> None:
    step = run.Step("fails", "A step", lambda log: log.run("false"))
    for _ in range(2):
        with pytest.raises(run.SetupError, match="status 1"):
            run.perform([step], dict(os.environ))


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("npm error code ENOTFOUND", "registry cannot be reached"),
        ("Temporary failure in name resolution", "registry cannot be reached"),
        ("invalid peer certificate: UnknownIssuer", "not trusted"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "differs from the one that was locked"),
        ("npm error code EINTEGRITY", "differs from the one that was locked"),
        ("error: command '/usr/bin/gcc' failed", "needs a C compiler"),
        ("No matching distribution found for numpy", "does not exist for this Python"),
        ("EACCES: permission denied, open 'x'", "belongs to another user"),
    ],
)
def test_failure_names_its_cause_and_the_next_step(
    run: ModuleType, tmp_path: Path, output: str, meaning: str
) -> None:
    step = run.Step("fails", "A step", lambda log: log.run("sh", "-c", f'echo "{output}"; exit 7'))
    with pytest.raises(run.SetupError) as failure:
        run.perform([step], dict(os.environ))
    assert meaning in str(failure.value)
    assert "Next: " in str(failure.value)
    assert output in str(failure.value)


def test_unknown_failure_shows_the_end_of_the_log(run: ModuleType) -> None:
    script = "for i in $(seq 100); do echo line $i; done; exit 9"
    step = run.Step("fails", "A step", lambda log: log.run("sh", "-c", script))
    with pytest.raises(run.SetupError) as failure:
        run.perform([step], dict(os.environ))
    assert "status 9" in str(failure.value)
    assert "line 100" in str(failure.value)
    assert "line 10\n" not in str(failure.value)


def test_command_that_is_not_there_is_an_error(run: ModuleType) -> None:
    step = run.Step("fails", "A step", lambda log: log.run("no-such-command-here"))
    with pytest.raises(run.SetupError, match="not found"):
        run.perform([step], dict(os.environ))


def test_full_disk_is_noticed_before_anything_is_done(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, calls = counting_step(run, tmp_path)
    monkeypatch.setattr(run, "DISK_NEEDED", 10**18)
    with pytest.raises(run.SetupError, match="GB are free"):
        run.perform([step], {})
    assert calls == []


def test_environment_survives_a_shell_that_bends_installs(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("NODE_ENV", "production")
    env = run.environment()
    assert env["HOME"] == str(tmp_path / ".cache" / "home")
    assert not {"PYTHONDONTWRITEBYTECODE", "PIP_TARGET", "NODE_ENV"} & set(env)
    assert env["PATH"].startswith(str(run.VENV / "bin"))
    monkeypatch.setenv("SSL_CERT_FILE", "/company.pem")
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    env = run.environment()
    assert (env["SSL_CERT_FILE"], env["NODE_EXTRA_CA_CERTS"]) == ("/company.pem",) * 2


def test_help_lists_the_commands() -> None:
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}"],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    for command in ("make setup", "make demo", "make test", "make lint", "make lock"):
        assert command in done.stdout


def test_an_old_python_is_told_what_it_lacks() -> None:
    source = (BASE_DIR / "scripts" / "bootstrap.py").read_text(encoding="utf-8")
    # The check must come before anything that an older Python could not even parse or import.
    script = "import sys; sys.version_info = (3, 10, 1); exec(sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", script], input=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; this is 3.10" in done.stderr
