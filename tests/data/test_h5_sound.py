"""load_h5 reads what is sound: any filter, parts never written, every way to keep numbers."""

import h5py
import numpy as np
import pytest

from fastnn.data import load_h5
from fastnn.errors import DataFileError

LABELS = np.array([0, 1, 1])
X = np.arange(36, dtype=np.uint8).reshape(3, 12)

BUILT_IN = {
    "gzip": {"compression": "gzip", "compression_opts": 9},
    "lzf": {"compression": "lzf"},
    "szip": {"compression": "szip"},
    "shuffle": {"shuffle": True},
    "fletcher32": {"fletcher32": True},
    "shuffle, gzip, fletcher32": {"shuffle": True, "compression": "gzip", "fletcher32": True},
    "shuffle, lzf, fletcher32": {"shuffle": True, "compression": "lzf", "fletcher32": True},
    "none": {},
}
PLUGINS = ["Zstd", "BZip2", "Blosc", "Blosc2", "LZ4", "Bitshuffle"]


@pytest.fixture
def store(tmp_path):
    def store(x=X, y=LABELS, **keywords):
        """Write x and y, each an array or what create_dataset takes; `keywords` are x's."""
        path = tmp_path / "sound.h5"
        with h5py.File(path, "w", libver=keywords.pop("libver", None)) as file:
            file["list_classes"] = np.array([b"no", b"yes"])
            for key, value in (("train_set_x", x), ("train_set_y", y)):
                options = value if isinstance(value, dict) else {"data": value}
                file.create_dataset(key, **options, **(keywords if key == "train_set_x" else {}))
        return path

    return store


def mixed(m=40, dtype="u1"):
    """Images that pack well, but are not constant."""
    return (np.arange(m * 64 * 64).reshape(m, 64, 64) // 1000 % 7).astype(dtype)


@pytest.mark.parametrize("options", BUILT_IN.values(), ids=BUILT_IN)
@pytest.mark.parametrize("dtype", ["u1", ">i4", "<f8"])
def test_filters_of_h5py(store, options, dtype):
    if "szip" in options.values() and not h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
        pytest.skip("this h5py has no szip")
    images = mixed(dtype=dtype)
    path = store(images, np.arange(40) % 2, chunks=(9, 64, 50), **options)
    np.testing.assert_array_equal(load_h5(path).X, images)


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize("dtype", ["u1", ">i4", "<f8"])
def test_filters_of_hdf5plugin(store, name, dtype):
    plugin = pytest.importorskip("hdf5plugin", reason="hdf5plugin is not installed")
    images = mixed(dtype=dtype)
    labels = {"data": np.arange(40) % 2, "chunks": (40,), **getattr(plugin, name)()}
    path = store(images, labels, chunks=(9, 64, 50), **getattr(plugin, name)())
    data = load_h5(path)
    np.testing.assert_array_equal(data.X, images)
    assert data.y.tolist() == [0, 1] * 20


@pytest.mark.parametrize("name", ["gzip", *PLUGINS])
def test_constant_images_pack_into_almost_nothing(store, name):
    if name == "gzip":
        options = BUILT_IN[name]
    else:
        plugin = pytest.importorskip("hdf5plugin", reason="hdf5plugin is not installed")
        options = getattr(plugin, name)()
    zeros = np.zeros((400, 64, 64, 3), np.uint8)
    path = store(zeros, np.zeros(400, int), chunks=zeros.shape, **options)
    if name in ("Zstd", "BZip2"):
        with h5py.File(path) as file:  # less than deflate's limit
            assert file["train_set_x"].id.get_storage_size() * 1032 < zeros.size
    np.testing.assert_array_equal(load_h5(path).X, zeros)


def test_chunks_that_did_not_become_smaller_are_kept_unpacked(store):
    noise = np.random.default_rng(0).integers(0, 256, (3, 4), dtype=np.uint8)
    path = store(noise, chunks=(1, 4), compression="gzip")
    with h5py.File(path, "a") as file:  # as HDF5 does where packing fails
        file["train_set_x"].id.write_direct_chunk((1, 0), noise[1].tobytes(), filter_mask=1)
    np.testing.assert_array_equal(load_h5(path).X, noise)


LAYOUTS = {
    "contiguous": {},
    "chunked": {"chunks": (1, 28, 28)},
    "gzip": {"chunks": (10, 28, 28), "compression": "gzip"},
    "resizable": {"chunks": (7, 28, 28), "maxshape": (None, 28, 28)},
    "all axes resizable": {"chunks": (7, 9, 28), "maxshape": (None, None, None)},
    "one chunk": {"chunks": (1000, 28, 28)},
}


def test_a_user_block_before_parts_never_written(tmp_path):
    """HDF5 then gives a place for what lies nowhere: the last byte of the block."""
    with h5py.File(tmp_path / "block.h5", "w", userblock_size=512) as file:
        file.create_dataset("train_set_x", (3, 4), "u1")
        file["train_set_y"], file["list_classes"] = LABELS, np.array([b"no", b"yes"])
    assert not load_h5(tmp_path / "block.h5").X.any()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("fill", [0, 7])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_parts_never_written_hold_the_fill_value(store, layout, fill, libver):
    shape = (1000, 28, 28)
    x = {"shape": shape, "dtype": "u1", "fillvalue": fill, **layout}
    path = store(x, {"shape": (1000,), "dtype": "i8"}, libver=libver)
    right = np.full(shape, fill, np.uint8)
    np.testing.assert_array_equal(load_h5(path).X, right)
    with h5py.File(path, "a") as file:
        file["train_set_x"][3:5] = right[3:5] = 9
    data = load_h5(path)
    np.testing.assert_array_equal(data.X, right)
    assert not data.y.any()


def test_a_set_that_grew_and_shrank(store):
    path = store(X, chunks=(2, 5), maxshape=(None, None))
    with h5py.File(path, "a") as file:
        member = file["train_set_x"]
        member.resize((9, 30))
        member[:] = 5
        member.resize((3, 7))
    np.testing.assert_array_equal(load_h5(path).X, np.full((3, 7), 5))


def test_limit_is_what_a_file_may_claim_without_having_it(store):
    path = store({"shape": (3, 10**6), "dtype": "u1"})
    assert load_h5(path).X.nbytes == 3 * 10**6
    with pytest.raises(DataFileError, match=r"3000000 bytes, but only 0 bytes of it .* limit=3000"):
        load_h5(path, limit=3 * 10**6 - 1)
    assert load_h5(path, limit=3 * 10**6).X.shape == (3, 10**6)
    whole = store(X, chunks=(1, 12), compression="gzip")  # the file has it, so the limit is nothing
    assert load_h5(whole, limit=24).X.shape == (3, 12)
    with pytest.raises(ValueError, match="limit must be a whole number of at least 0, got -1"):
        load_h5(path, limit=-1)


@pytest.mark.parametrize(
    ("member", "options", "needed"),
    [
        ("train_set_y", {"dtype": "u1"}, 8 * 10**6),  # labels become int64
        ("list_classes", {"dtype": "u1"}, 64 * 10**6),  # names become objects
        ("list_classes", {"dtype": h5py.string_dtype()}, 64 * 10**6),
    ],
)
def test_limit_counts_what_becomes_of_the_numbers(store, member, options, needed):
    path = store()
    with h5py.File(path, "a") as file:
        del file[member]
        file.create_dataset(member, (10**6,), **options)
    with pytest.raises(DataFileError, match=f"{member} claims .* {needed} bytes, .*limit={needed}"):
        load_h5(path, limit=needed - 1)


def test_bool_is_0_or_1_whatever_its_bytes(store):
    data = load_h5(store(X.view("bool")))
    assert data.X.dtype == bool
    np.testing.assert_array_equal(data.X.view(np.uint8), X != 0)


def compact(file, key):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(X.shape)
    member = h5py.h5d.create(file.id, key.encode(), h5py.h5t.NATIVE_UINT8, space, settings)
    member.write(h5py.h5s.ALL, h5py.h5s.ALL, X)


def early(file, key):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((2, 5))
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    space = h5py.h5s.create_simple(X.shape)
    h5py.h5d.create(file.id, key.encode(), h5py.h5t.NATIVE_UINT8, space, settings)
    file[key][:] = X


def committed(file, key):
    file["kind"] = np.dtype(">i4")
    file.create_dataset(key, data=X, dtype=file["kind"])


def enumerated(file, key):
    file.create_dataset(key, data=X, dtype=h5py.enum_dtype({"none": 0, "all": 255}, "u1"))


def behind_512_bytes(file, key):
    file.create_dataset(key, data=X, chunks=(1, 12))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("how", [compact, early, committed, enumerated, behind_512_bytes])
def test_ways_to_keep_numbers(tmp_path, how, libver):
    path = tmp_path / "way.h5"
    block = {"userblock_size": 512} if how is behind_512_bytes else {}
    with h5py.File(path, "w", libver=libver, **block) as file:
        how(file, "train_set_x")
        file["train_set_y"], file["list_classes"] = LABELS, np.array([b"no", b"yes"])
    np.testing.assert_array_equal(load_h5(path).X, X)


def test_a_number_type_without_a_twin_in_numpy(tmp_path):
    path = tmp_path / "time.h5"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple(X.shape)
        h5py.h5d.create(file.id, b"train_set_x", h5py.h5t.UNIX_D32LE, space)
        file["train_set_y"], file["list_classes"] = LABELS, np.array([b"no", b"yes"])
    with pytest.raises(DataFileError, match="train_set_x has a type that NumPy does not have"):
        load_h5(path)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0.0, 1.0, 1.0]),
        np.array([[0, 1, 1]], ">f4"),
        np.array([b"0", b"1", b"1"]),
        np.array([b"0", b"01", b"1"]),
        np.array([b"\0", b"\1", b"\1"]),
        np.array([b"\0", b"\1", b"\1"], "V1"),
        np.array([False, True, True]),
        ["0", "1", "1"],
        [[b"0", b"1", b"1"]],
    ],
    ids=[
        "float",
        "big-endian row",
        "digit",
        "digits",
        "byte",
        "opaque byte",
        "bool",
        "text",
        "row of text",
    ],
)
def test_labels_however_the_integers_are_kept(store, labels):
    data = load_h5(store(y=labels))
    assert data.y.tolist() == [0, 1, 1]
    assert data.y.dtype == np.int64


def test_an_empty_text_among_digits_is_no_label(store):
    with pytest.raises(DataFileError, match=r"train_set_y must hold integers .*found text"):
        load_h5(store(y=["0", "", "1"]))


def test_labels_of_one_row_are_one_label(store):
    assert load_h5(store(X[:1], np.array([1.0]))).y.tolist() == [1]


@pytest.mark.parametrize("kind", ["fixed", "variable"])
def test_names_in_another_encoding_are_told_as_such(store, kind):
    path = store()
    name = "été".encode("latin-1")
    with h5py.File(path, "a") as file:
        del file["list_classes"]
        if kind == "fixed":
            file["list_classes"] = np.array([name, b"x"])
        else:
            held = np.array([name, b"x"], object)
            file.create_dataset("list_classes", data=held, dtype=h5py.string_dtype("ascii"))
    with pytest.raises(DataFileError, match=r"holds b'\\xe9t\\xe9', which is not UTF-8, .*Latin-1"):
        load_h5(path)
