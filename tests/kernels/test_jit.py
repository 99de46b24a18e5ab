"""Compiled code on disk: kept, never trusted blindly, and never a reason to fail."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from numba.core import caching, config

from mlsemi.kernels import jit

SOURCE = """
from mlsemi.kernels.jit import kernel

@kernel
def inner(x):
    return x + 1

@kernel
def outer(x):
    return 10 * inner(x)
"""

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")


@pytest.fixture
def said(monkeypatch, caplog):
    """What was said on standard error, each text once."""
    monkeypatch.setattr(jit, "_said", set())
    jit._digest_of.cache_clear()
    return caplog


@pytest.fixture
def source(tmp_path, monkeypatch, said):
    """A file with two kernels, and a cache of its own."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "source.py"
    path.write_text(SOURCE)
    return path


def fresh(path):
    """The kernels of a file as a new process would have them."""
    jit._digest_of.cache_clear()
    space = {"__name__": "tried"}
    exec(compile(path.read_text(), str(path), "exec"), space)
    return space["outer"]


def kept(source):
    """Files of compiled code of the outer kernel."""
    return sorted((source.parent / "cache").rglob("*outer*.nbc"))


def from_disk(kernel):
    return sum(kernel.stats.cache_hits.values())


def test_the_next_process_finds_what_this_one_compiled(source):
    first = fresh(source)
    assert (first(1), first(1.5)) == (20, 25.0)
    assert from_disk(first) == 0
    assert len(kept(source)) == 2, "a file for every signature"
    second = fresh(source)
    assert (second(1.5), second(1)) == (25.0, 20)
    assert from_disk(second) == 2


def test_a_first_start_says_what_it_does(source, caplog):
    """Once, for those who listen; the next start does not."""
    jit._say_that_it_compiles.cache_clear()
    with caplog.at_level("INFO", "mlsemi"):
        for _ in range(2):
            assert fresh(source)(1) == 20
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "compiling for this machine"
    ]


def damages(good, other):
    """Contents that a file of compiled code must not have."""
    yield from (b"", b"\0" * 100, b"not a pickle", good[:20], other, good + b"\0")
    yield from (good[: len(good) * k // 8] for k in (1, 4, 7))
    for k in range(6):
        changed = bytearray(good)
        changed[k * (len(good) - 1) // 5] ^= 1 << k % 8
        yield bytes(changed)


def test_damaged_files_are_compiled_anew_and_replaced(source, said):
    kernel = fresh(source)
    assert (kernel(1), kernel(1.5)) == (20, 25.0)
    file, other = kept(source)
    good = file.read_bytes()
    for content in damages(good, other.read_bytes()[: len(good) // 2]):
        file.write_bytes(content)
        mended = fresh(source)
        assert (mended(1), mended(1.5)) == (20, 25.0)
        assert from_disk(mended) == 1
        again = fresh(source)
        assert (again(1), again(1.5)) == (20, 25.0)
        assert from_disk(again) == 2
    assert not said.records


def test_code_of_another_signature_or_kernel_is_not_taken(source):
    """Complete and well-formed, but not what the name says: as after a restore gone wrong."""
    kernel = fresh(source)
    assert (kernel(1), kernel(1.5)) == (20, 25.0)
    one, two = kept(source)
    inner = next((source.parent / "cache").rglob("*inner*.nbc"))
    for foreign in (two.read_bytes(), inner.read_bytes()):
        one.write_bytes(foreign)
        mended = fresh(source)
        assert (mended(1), mended(1.5)) == (20, 25.0)


def test_what_cannot_be_replaced_does_not_stop_the_work(source, said):
    fresh(source)(1)
    (file,) = kept(source)
    file.unlink()
    file.mkdir()
    assert fresh(source)(1) == 20
    assert len(said.records) == 1


def test_a_full_disk_is_named_once(source, said, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    kernel = fresh(source)
    assert (kernel(1), kernel(1.5)) == (20, 25.0)
    (line,) = (record.getMessage() for record in said.records)
    assert line.startswith("mlsemi: warning: compiled code cannot be kept")
    assert "No space left on device" in line
    assert "\n" not in line
    assert not [p for p in (source.parent / "cache").rglob("*") if p.is_file()]


@pytest.fixture
def read_only(source, monkeypatch):
    """Nothing but the folder for temporary files can be written."""
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [caching.UserProvidedCacheLocator])
    temporary = source.parent / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return temporary


def test_nothing_can_be_written_but_temporary_files(source, read_only, said):
    assert fresh(source)(1) == 20
    again = fresh(source)
    assert again(1) == 20
    assert from_disk(again) == 1
    (folder,) = read_only.iterdir()
    (line,) = (record.getMessage() for record in said.records)
    assert f"compiled code is kept in {folder}" in line
    assert "NUMBA_CACHE_DIR" in line
    assert "\n" not in line
    assert not config.CACHE_DIR, "other programs keep their own cache"
    if hasattr(os, "getuid"):
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
@pytest.mark.parametrize("how", ["open to all", "of another", "link", "file", "nowhere"])
def test_a_temporary_folder_that_others_can_write_is_not_used(
    source, read_only, said, how, monkeypatch
):
    folder = read_only / f"mlsemi-{os.getuid()}"
    if how == "open to all":
        folder.mkdir()
        folder.chmod(0o777)
    elif how == "of another":
        folder.mkdir()
        owner = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
        folder.rename(read_only / f"mlsemi-{owner + 1}")
    elif how == "link":
        (read_only / "elsewhere").mkdir()
        folder.symlink_to(read_only / "elsewhere")
    elif how == "file":
        folder.write_text("")
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(read_only / "missing"))
    assert fresh(source)(1) == 20
    (line,) = (record.getMessage() for record in said.records)
    assert "compiled code cannot be kept, every start compiles anew" in line
    assert not list(read_only.rglob("*.nbc"))


def changed_in_place(path, old, new):
    """Other content of the same size, with the times of the old one."""
    about, text = path.stat(), path.read_text()
    assert old in text
    assert len(old) == len(new)
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def test_an_upgrade_leaves_no_stale_code(source):
    """Not of a kernel, nor of one that it calls, where size and time of the file are the same."""
    assert fresh(source)(1) == 20
    changed_in_place(source, "10 *", "20 *")
    assert fresh(source)(1) == 40
    changed_in_place(source, "x + 1", "x + 2")
    assert fresh(source)(1) == 60


def test_other_options_are_other_code(source, tmp_path, monkeypatch):
    """The file that says how kernels are compiled is part of every one of them."""
    assert fresh(source)(1) == 20
    (tmp_path / "options.py").write_text("")
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "options.py"))
    other = fresh(source)
    assert (other(1), from_disk(other)) == (20, 0)


def test_constants_of_generated_kernels_count(source):
    def made(factor):
        space = {"__name__": "tried"}
        text = f"def scaled(x):\n    return {factor!r} * x"
        exec(compile(text, str(source), "exec"), space)
        return jit.kernel(space["scaled"])

    first, other, again = made(2.0), made(3.0), made(2.0)
    assert (first(1.5), other(1.5), again(1.5)) == (3.0, 4.5, 3.0)
    assert (from_disk(other), from_disk(again)) == (0, 1)


def test_many_processes_start_on_an_empty_cache(source):
    """Each begins with another signature: an index in common would be theirs to spoil."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from source import outer\n"
        "k, calls = int(sys.argv[2]), [1, 1.5]\n"
        "print([outer(x) for x in calls[k:] + calls[:k]], sum(outer.stats.cache_hits.values()))"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(source.parent / "cache")}
    expected = [20, 25.0]

    def start(k):
        command = [sys.executable, "-c", script, str(source.parent), str(k)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    for k, process in enumerate([start(0), start(1)]):
        out, err = process.communicate()
        assert err == ""
        assert out.startswith(str(expected[k:] + expected[:k]))
    assert start(0).communicate() == (f"{expected} 2\n", "")
