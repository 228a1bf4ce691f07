from __future__ import annotations

import os
import pickle
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganlab import BadImageError, ComponentError, ImageFiles
from ganlab.progress import nothing_shown


def write_tree(root: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(path, "PNG")


def zipped(root: Path, archive: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(archive, "w", compression) as file:
        for path in sorted(root.rglob("*")):
            file.write(path, path.relative_to(root).as_posix())
    return archive


NAMES = ["b/2.png", "a/1.PNG", "top.png", "a/deep/er/3.jpeg"]


def test_folder_and_archive_are_the_same(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", NAMES)
    folder = ImageFiles(tmp_path / "tree")
    deflated = ImageFiles(zipped(tmp_path / "tree", tmp_path / "deflated.zip"))
    stored = ImageFiles(zipped(tmp_path / "tree", tmp_path / "stored.zip", zipfile.ZIP_STORED))
    assert folder.names == deflated.names == stored.names == tuple(sorted(NAMES))
    for name in NAMES:
        content = (tmp_path / "tree" / name).read_bytes()
        assert folder.read_bytes(name) == deflated.read_bytes(name) == stored.read_bytes(name) == content
    assert folder.fingerprint() == deflated.fingerprint() == stored.fingerprint()
    assert folder.open("b/2.png").getpixel((0, 0)) == (0, 0, 0)
    assert deflated.place("top.png") == str(tmp_path / "deflated.zip" / "top.png")


def test_hidden_files_and_other_files_are_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a.png", ".hidden.png", ".git/b.png", "__MACOSX/a.png", "x/__MACOSX/._a.png"])
    (tmp_path / "notes.txt").write_text("no image")
    assert ImageFiles(tmp_path).names == ("a.png",)
    assert ImageFiles(tmp_path, extensions=[".TXT"]).names == ("notes.txt",)


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write_tree(tmp_path / "elsewhere", ["a.png"])
    write_tree(tmp_path / "tree", ["b.png"])
    (tmp_path / "tree" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "tree" / "circle").symlink_to(tmp_path / "tree")
    assert ImageFiles(tmp_path / "tree").names == ("b.png", "linked/a.png")


def test_the_fingerprint_is_of_content(tmp_path: Path) -> None:
    write_tree(tmp_path / "one", NAMES)
    write_tree(tmp_path / "two", NAMES)
    first = ImageFiles(tmp_path / "one").fingerprint()
    os.utime(tmp_path / "two" / "top.png", (1, 1))
    assert ImageFiles(tmp_path / "two").fingerprint() == first
    # The same size and another pixel; the modification time tells the remembered digest apart.
    content = bytearray((tmp_path / "two" / "top.png").read_bytes())
    content[-20] ^= 1
    (tmp_path / "two" / "top.png").write_bytes(content)
    assert ImageFiles(tmp_path / "two").fingerprint() != first
    (tmp_path / "one" / "top.png").rename(tmp_path / "one" / "other.png")
    assert ImageFiles(tmp_path / "one").fingerprint() != first


def test_the_fingerprint_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path / "tree", NAMES)
    first = ImageFiles(tmp_path / "tree").fingerprint()
    monkeypatch.setattr("ganlab.data.files._content", lambda *_: pytest.fail("read again"))
    assert ImageFiles(tmp_path / "tree").fingerprint() == first


def test_a_reading_that_was_killed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "tree", NAMES)
    expected = ImageFiles(zipped(tmp_path / "tree", tmp_path / "tree.zip")).fingerprint()
    monkeypatch.setattr("ganlab.data.files._BLOCK", 1)
    monkeypatch.setattr("ganlab.data.files._QUICK", 1)
    monkeypatch.setattr("ganlab.data.files.ThreadPoolExecutor", lambda: ThreadPoolExecutor(1))
    files, real, read = ImageFiles(tmp_path / "tree"), Path.read_bytes, list[str]()

    def killed(path: Path) -> bytes:
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(path.name)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            files.fingerprint()
        read.append("")  # from now on, all can be read
        assert files.fingerprint() == expected
    assert len(read) == 1 + len(files)
    assert f"reading files: {len(files) - 2} …" in capsys.readouterr().err
    with nothing_shown():
        assert ImageFiles(tmp_path / "tree").fingerprint(files.names[:2]) != expected
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_read_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path / "tree", NAMES)
    expected = ImageFiles(zipped(tmp_path / "tree", tmp_path / "tree.zip")).fingerprint()
    real = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == "top.png":
            raise PermissionError(13, "Permission denied")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", denied)
        assert ImageFiles(tmp_path / "tree").fingerprint() != expected
        with pytest.raises(BadImageError, match=r"top\.png: cannot be read: permission denied$") as caught:
            ImageFiles(tmp_path / "tree").open("top.png")
        assert caught.value.passing
    assert ImageFiles(tmp_path / "tree").fingerprint() == expected


def test_a_root_that_cannot_be_looked_at_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, **_: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ComponentError, match=r"file/photos cannot be read: Not a directory$"):
        ImageFiles(tmp_path / "file" / "photos")
    with pytest.raises(ComponentError, match=r"pipe is neither a folder nor a file$"):
        ImageFiles(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(ComponentError, match=r"photos cannot be read: permission denied$"):
        ImageFiles(tmp_path / "photos")


def test_a_cache_that_cannot_be_written_only_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path / "tree", NAMES)
    expected = ImageFiles(tmp_path / "tree").fingerprint()
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "file"))
    assert ImageFiles(tmp_path / "tree").fingerprint() == expected


def test_an_archive_survives_pickling(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", NAMES)
    files = ImageFiles(zipped(tmp_path / "tree", tmp_path / "a.zip"))
    content = files.read_bytes("top.png")
    assert pickle.loads(pickle.dumps(files)).read_bytes("top.png") == content


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../b.png", "/etc/a.png", "..\\evil.png", "C:\\a.png", "C:a.png"]
)
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("fine.png", b"")
        file.writestr(name, b"")
    with pytest.raises(ComponentError, match="leads out of the archive") as caught:
        ImageFiles(tmp_path / "a.zip")
    assert caught.value.option == "root"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    with pytest.raises(ComponentError, match=r"a\.zip is not a whole zip archive"):
        ImageFiles(tmp_path / "a.zip")
    with pytest.raises(ComponentError, match="does not exist"):
        ImageFiles(tmp_path / "gone")


def test_unusual_compression_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", NAMES)
    with pytest.raises(ComponentError, match="a method other than deflate"):
        ImageFiles(zipped(tmp_path / "tree", tmp_path / "a.zip", zipfile.ZIP_LZMA))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_inside_an_archive_is_noticed(tmp_path: Path, compression: int) -> None:
    write_tree(tmp_path / "tree", ["a.png"])
    archive = zipped(tmp_path / "tree", tmp_path / "a.zip", compression)
    content = bytearray(archive.read_bytes())
    content[60] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(BadImageError, match=r"a\.zip/a\.png: the archive is damaged here"):
        ImageFiles(archive).read_bytes("a.png")


def test_a_member_that_unpacks_to_more_than_announced_is_stopped(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.png", bytes(10_000_000))
    content = (tmp_path / "a.zip").read_bytes()
    lie = content.replace(struct.pack("<I", 10_000_000), struct.pack("<I", 10))
    (tmp_path / "a.zip").write_bytes(lie)
    with pytest.raises(BadImageError, match="wrong checksum"):
        ImageFiles(tmp_path / "a.zip").read_bytes("bomb.png")


def test_a_long_extra_field_is_read_past(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.png")
    info.extra = struct.pack("<HH", 0xCAFE, 2000) + bytes(2000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, b"content")
    assert ImageFiles(tmp_path / "a.zip").read_bytes("a.png") == b"content"
