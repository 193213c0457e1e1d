"""Same seed, same inputs, same version: the same journal, to the byte (invariant 9).

Rules: every supported interpreter of this machine runs the first scenario in an environment of its own,
under several hash seeds; what is compared is the journal itself, and the SHA-256 that `sim` tells.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from envs import interpreters, need

ROOT = Path(__file__).parent.parent
SEEDS = ("0", "1", "2")
SECONDS = 600


def _sha256(python: Path, hash_seed: str, place: Path) -> str:
    """The digest of the first scenario's journal under an interpreter and a hash seed."""
    journal = place / f"{python.parent.parent.name}-{hash_seed}.journal.jsonl"
    command = ["uv", "run", "--isolated", "--no-dev", "--frozen", "--python", str(python)]
    command += ["dhemu", "sim", "first-service", "-o", "json", "--journal", str(journal)]
    around = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**around, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if ended.returncode and "dhemu: " not in ended.stderr:
        need(False, f"an environment for {python}: {' '.join(ended.stderr.split())[-600:]}")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["passed"] is True
    digest = hashlib.sha256(journal.read_bytes()).hexdigest()
    assert told["sha256"] == digest
    return digest


@pytest.mark.slow
def test_one_journal_on_every_interpreter(tmp_path: Path) -> None:
    need(shutil.which("uv"), "uv, which makes an environment for each interpreter")
    found = interpreters()
    need("3.11" in found, "Python 3.11, on PATH or installed by pyenv")
    digests = {}
    for version, python in found.items():
        place = tmp_path / version
        place.mkdir()
        for hash_seed in SEEDS:
            digests[version, hash_seed] = _sha256(python, hash_seed, place)
        print(f"Python {version} ({python}): {digests[version, SEEDS[0]]}")
    assert len(digests) == len(found) * len(SEEDS)
    assert len(set(digests.values())) == 1, digests
