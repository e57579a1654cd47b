"""The cache's folders and files are private: what others could have put there is not run."""

import os
import stat
from pathlib import Path

import pytest
from fastnn.kernels.jitted.loader import private_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def give_away(monkeypatch):
    """Return a function after whose call this user is not the owner of a file or folder."""

    def give(path):
        if os.geteuid() == 0:
            os.chown(path, 65534, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: 65534)

    return give


@pytest.fixture
def shared(tmp_path):
    """A folder into which all may write."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


class TestFolders:
    def test_are_made_for_their_user_alone(self, tmp_path):
        before = os.umask(0)
        try:
            private_folder.make(tmp_path / "a" / "b" / "c")
            private_folder.write(tmp_path / "a" / "b" / "c" / "file", b"x")
        finally:
            os.umask(before)
        for name in ("a", "a/b", "a/b/c"):
            assert mode(tmp_path / name) == 0o700
        assert mode(tmp_path / "a" / "b" / "c" / "file") == 0o600

    @pytest.mark.parametrize("place", ["shared", "shared/between", "shared/between/cache"])
    def test_others_may_write_into_none_on_the_way(self, tmp_path, place):
        private_folder.make(tmp_path / "shared" / "between" / "cache")
        (tmp_path / place).chmod(0o707)
        with pytest.raises(PermissionError, match=f"{place} is not private"):
            private_folder.make(tmp_path / "shared" / "between" / "cache")

    def test_a_sticky_folder_is_fine_above(self, shared):
        shared.chmod(0o1777)
        private_folder.make(shared / "cache")
        with pytest.raises(PermissionError, match="not private"):
            private_folder.make(shared)

    @pytest.mark.parametrize("alone", [True, False])
    def test_a_group_may_write_above_where_it_is_the_users_own(self, shared, monkeypatch, alone):
        shared.chmod(0o770)
        monkeypatch.setattr(private_folder, "_alone", lambda group: alone)
        if alone:
            private_folder.make(shared / "cache")
        else:
            with pytest.raises(PermissionError, match="shared is not private"):
                private_folder.make(shared / "cache")

    def test_a_group_without_an_entry_is_no_users_own(self, monkeypatch):
        import pwd

        def unknown(number):
            raise KeyError(number)

        monkeypatch.setattr(pwd, "getpwuid", unknown)
        assert not private_folder._alone(0)

    @pytest.mark.parametrize("place", ["between", "between/cache"])
    def test_nobody_else_owns_one_on_the_way(self, tmp_path, give_away, place):
        private_folder.make(tmp_path / "between" / "cache")
        give_away(tmp_path / place)
        with pytest.raises(PermissionError, match="not private"):
            private_folder.make(tmp_path / "between" / "cache")

    def test_above_the_home_is_not_the_users_concern(self, shared, monkeypatch):
        home = shared / "home"
        home.mkdir(mode=0o755)
        with pytest.raises(PermissionError, match="shared is not private"):
            private_folder.make(home / ".cache" / "fastnn")
        monkeypatch.setattr(Path, "home", lambda: home)
        private_folder.make(home / ".cache" / "fastnn")
        home.chmod(0o777)
        with pytest.raises(PermissionError, match="not private"):
            private_folder.make(home / ".cache" / "fastnn")

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "file").write_text("")
        for folder in (tmp_path / "file", tmp_path / "file" / "cache"):
            with pytest.raises(OSError, match="file"):
                private_folder.make(folder)


class TestLinks:
    def test_the_folder_itself_is_none(self, tmp_path):
        private_folder.make(tmp_path / "real")
        (tmp_path / "cache").symlink_to(tmp_path / "real")
        with pytest.raises(PermissionError, match="is a link"):
            private_folder.make(tmp_path / "cache")

    @pytest.mark.parametrize("relative", [False, True])
    def test_above_they_lead_to_private_folders(self, tmp_path, shared, relative):
        private_folder.make(tmp_path / "real")
        link = tmp_path / "link"
        link.symlink_to("real" if relative else tmp_path / "real")
        private_folder.make(link / "cache")
        link.unlink()
        link.symlink_to("shared" if relative else shared)
        with pytest.raises(PermissionError, match="shared is not private"):
            private_folder.make(link / "cache")

    @pytest.mark.parametrize("relative", [False, True])
    def test_in_a_folder_of_all_they_are_not_followed(
        self, tmp_path, shared, monkeypatch, relative
    ):
        """Not even where the way leads through the home before and after."""
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        private_folder.make(tmp_path / "real" / "cache")
        around = Path("..", "..", tmp_path.name, "real")
        (shared / "link").symlink_to(around if relative else tmp_path / "real")
        with pytest.raises(PermissionError, match="shared is not private"):
            private_folder.make(shared / "link" / "cache")

    def test_in_a_circle(self, tmp_path):
        (tmp_path / "link").symlink_to("link")
        with pytest.raises(OSError, match="link"):
            private_folder.make(tmp_path / "link" / "cache")


class TestFiles:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "entry"
        private_folder.write(path, b"content")
        return path

    def test_are_read(self, file):
        assert private_folder.read(file) == b"content"
        assert private_folder.read(file.with_name("missing")) is None

    @pytest.mark.parametrize("bits", [0o620, 0o602, 0o666])
    def test_that_others_can_write_are_not(self, file, bits):
        file.chmod(bits)
        assert private_folder.read(file) is None

    def test_of_others_are_not(self, file, give_away):
        give_away(file)
        assert private_folder.read(file) is None

    def test_behind_links_are_not(self, file):
        link = file.with_name("link")
        link.symlink_to(file)
        assert private_folder.read(link) is None

    def test_that_are_no_files_are_not(self, tmp_path):
        os.mkfifo(tmp_path / "pipe", 0o600)
        assert private_folder.read(tmp_path / "pipe") is None

    def test_replace_links_and_not_what_they_name(self, file):
        link = file.with_name("link")
        link.symlink_to(file)
        private_folder.write(link, b"new")
        assert not link.is_symlink()
        assert (private_folder.read(link), private_folder.read(file)) == (b"new", b"content")

    def test_that_cannot_be_put_in_place_leave_nothing(self, tmp_path, monkeypatch):
        def refuse(source, target):
            raise PermissionError("in use")

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError, match="in use"):
            private_folder.write(tmp_path / "entry", b"x")
        assert not list(tmp_path.iterdir())


def test_what_killed_processes_leave_is_swept(tmp_path, monkeypatch):
    now = 1e9
    monkeypatch.setattr(private_folder.time, "time", lambda: now)
    names = {"kernel.nbc": 9999, "kernel.nbc.tmp.aa": 9999, "kernel.nbc.tmp.bb": 10}
    for name, age in names.items():
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (now - age,) * 2)
    private_folder.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["kernel.nbc", "kernel.nbc.tmp.bb"]
