"""The keys that sign verdicts (EAR): one PEM file, or a directory of them, to rotate.

In a directory the name of a key says when it is used, in UTC: ``20261123T090000Z.pem`` signs from
then on, ``20260801T000000Z--20261201T000000Z.pem`` is retired at the second time. The newest key in
force signs. The others stay published until they are retired, so that what they signed can be
checked; a key for later is published at once, so that it is known before it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from network.attestation.ear import MAX_LIFETIME_S

TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
SUFFIX: Final = ".pem"
#: Stands between the two times of a name.
RETIRED: Final = "--"
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)

#: What tells one state of the files from another: (name, modified in ns, size, inode) of each.
Fingerprint = tuple[tuple[str, int, int, int], ...]


class EarKeyInvalid(RuntimeError):
    """``ALTHING_EAR_KEY`` names no usable ES256 key. ``code`` is ``ear_key_invalid``."""

    code = "ear_key_invalid"


@dataclass(frozen=True, slots=True)
class EarKey:
    """One P-256 key. ``kid`` is its JWK thumbprint (RFC 7638); ``retire_at`` is None for never."""

    kid: str
    key: ECKey
    not_before: datetime
    retire_at: datetime | None

    def signs(self, at: datetime) -> bool:
        """In force, and published for as long as a token signed now can live."""
        return self.not_before <= at and self.published(at + timedelta(seconds=MAX_LIFETIME_S))

    def published(self, at: datetime) -> bool:
        """Not retired yet."""
        return self.retire_at is None or at < self.retire_at

    def jwk(self) -> dict[str, Any]:
        """The public half as a JSON Web Key (RFC 7517)."""
        public = self.key.as_dict(private=False)
        return public | {"kid": self.kid, "use": "sig", "alg": "ES256"}


@dataclass(frozen=True, slots=True)
class EarKeys:
    """All keys that could be read, the newest first, and why others could not."""

    keys: tuple[EarKey, ...] = ()
    faults: tuple[str, ...] = ()

    def signing(self, at: datetime) -> EarKey | None:
        """The newest key in force; None where there is none."""
        return next((key for key in self.keys if key.signs(at)), None)

    def jwks(self, at: datetime) -> dict[str, Any]:
        """The public halves of all keys not retired, as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [key.jwk() for key in self.keys if key.published(at)]}


def ear_keys_fingerprint(path: Path) -> Fingerprint:
    """Changes whenever a key is added, replaced, renamed or removed. Costs a stat for each."""
    found = []
    for file in _files(path):
        try:
            state = file.stat()
        except OSError:
            continue
        found.append((file.name, state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(found)


def ear_keys_read(path: Path) -> EarKeys:
    """Read a key file, or every ``*.pem`` of a directory. One bad file hides no good one."""
    keys: dict[str, EarKey] = {}
    faults = []
    for file in _files(path):
        try:
            key = _read(file, *(_times(file) if path.is_dir() else (_ALWAYS, None)))
        except EarKeyInvalid as fault:
            faults.append(str(fault))
            continue
        if key.kid in keys:
            faults.append(f"{file} holds a key that another file holds too; remove one of them.")
        else:
            keys[key.kid] = key
    if not keys:
        faults.append(f"There is no usable key in {path}.")
    return EarKeys(tuple(sorted(keys.values(), key=_age, reverse=True)), tuple(faults))


def _files(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    try:
        return sorted(path.glob(f"[!.]*{SUFFIX}"))
    except OSError:
        return []


def _age(key: EarKey) -> tuple[datetime, str]:
    return (key.not_before, key.kid)


def _times(file: Path) -> tuple[datetime, datetime | None]:
    begin, _, end = file.name.removesuffix(SUFFIX).partition(RETIRED)
    try:
        not_before, retire_at = _time(begin), _time(end) if end else None
    except ValueError as error:
        raise EarKeyInvalid(
            f"{file} is not named for its time, as in 20261123T090000Z{SUFFIX} or "
            f"20260801T000000Z{RETIRED}20261201T000000Z{SUFFIX}."
        ) from error
    if retire_at is not None and retire_at <= not_before:
        raise EarKeyInvalid(f"{file} would be retired before it begins.")
    return not_before, retire_at


def _time(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)


def _read(file: Path, not_before: datetime, retire_at: datetime | None) -> EarKey:
    try:
        key = ECKey.import_key(file.read_bytes())
    except (OSError, ValueError, JoseError) as error:
        raise EarKeyInvalid(f"The EAR key in {file} cannot be read: {error}") from error
    if key.curve_name != "P-256" or not key.is_private:
        raise EarKeyInvalid(f"The EAR key in {file} is no P-256 private key (ES256 needs one).")
    return EarKey(key.thumbprint(), key, not_before, retire_at)
