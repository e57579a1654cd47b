"""Windows: sizes, pieces and orders, some rows of a source, and the thread that reads."""

from itertools import pairwise

import numpy as np
import pytest
import streamed
from fastnn.kernels.loops.random import philox, shuffle
from fastnn.kernels.opcodes import Purpose

from fastnn import Network, kernels
from fastnn.errors import DataError, SettingError
from fastnn.training.windows.examples import StreamedExamples
from fastnn.training.windows.plan import plan_windows
from fastnn.training.windows.reader import Reader
from fastnn.training.windows.rows import CheckedRows, SelectedRows
from fastnn.training.windows.size import window_bytes

FLOAT = np.dtype("f")


def rows_of(m, n=2, piece_rows=1, starts=None):
    """Rows that tell where they stand."""
    X = np.arange(m * n, dtype="f").reshape(m, n)
    return CheckedRows(streamed.ArrayRows(X, piece_rows, starts), FLOAT)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("256 MB", 256_000_000), ("1.5 GB", 1_500_000_000), ("64mib", 67_108_864), (" 3 kB ", 3000),
     (4096, 4096), (np.int64(5), 5), ("1e3", None), ("0 MB", None), ("", None), ("-1 MB", None),
     ("12", None), (0, None), (-3, None), (1.5, None), (True, None), (None, None)],
)  # fmt: skip
def test_sizes(given, expected):
    if expected is None:
        with pytest.raises(SettingError, match=r"window must be"):
            window_bytes(given)
        X, y = streamed.classes(10)
        with pytest.raises(SettingError, match=r"window must be"):
            Network.mlp([5, 1], output="sigmoid").fit(X, y, window=given)
    else:
        assert window_bytes(given) == expected


def order_of(plan, epoch):
    """The rows of an epoch by the description of a plan, of each window."""
    runs = np.arange(len(plan.runs) - 1)
    if plan.shuffle:
        shuffle(runs, plan.seed, epoch)
    pieces = [piece for run in runs for piece in range(plan.runs[run], plan.runs[run + 1])]
    rows = [np.arange(plan.bounds[p], plan.bounds[p + 1]) for p in pieces]
    ends = np.cumsum([0, *map(len, rows)])[plan.starts] // plan.batch * plan.batch
    rows, ends[-1] = np.concatenate(rows), sum(map(len, rows))
    for k, (begin, end) in enumerate(pairwise(ends)):
        window, sections = rows[begin:end], []
        shares = [share_of(plan, end - begin, shard) for shard in range(plan.shards)]
        for shard, section in enumerate(np.split(window, np.cumsum(list(map(sum, shares)))[:-1])):
            order = np.arange(len(section))
            if plan.shuffle:
                word = philox((k, epoch, shard, 0), (plan.seed, Purpose.WINDOW << 16))[0]
                shuffle(order, word, epoch)
            sections.append(np.split(section[order], np.cumsum(shares[shard])[:-1]))
        yield np.concatenate([part for batch in zip(*sections, strict=True) for part in batch]
                             or [[]]) if plan.shuffle else window  # fmt: skip


def share_of(plan, rows, shard):
    """How many rows of each batch of a window are those of a shard."""
    sizes = [min(plan.batch, rows - i) for i in range(0, rows, plan.batch)]
    return [size * (shard + 1) // plan.shards - size * shard // plan.shards for size in sizes]


@pytest.mark.parametrize(
    ("m", "piece_rows", "starts"),
    [*((m, rows, None) for m in (1, 5, 100, 1003) for rows in (1, 3, 64, 500)),
     (1003, 1, [0, 700, 702, 703, 903, 1003]), (1003, 1, [0, 1003]), (1, 1, [0, 1])],
)  # fmt: skip
@pytest.mark.parametrize("shuffled", [False, True])
def test_an_epoch_goes_once_over_all_rows(m, piece_rows, starts, shuffled):
    rows, batch = rows_of(m, piece_rows=piece_rows, starts=starts), 8
    plan = plan_windows(rows, 200, batch, seed=4, shuffle=shuffled)
    shuffles = kernels.get("vectorized").shuffle
    with Reader(StreamedExamples(rows), plan, range(3, 6), shuffles) as reader:
        epochs, found = [[], [], []], iter(reader)
        for epoch in epochs:
            while not epoch or not epoch[-1][1]:
                window = next(found)
                assert window.last or len(window.order) % batch == 0
                assert len(window.X) <= plan.capacity <= 200 + batch - 1
                np.testing.assert_array_equal(window.X[window.order, 0], 2 * window.numbers)
                epoch.append((window.numbers.copy(), window.last))
        assert next(found, None) is None
    for number, epoch in enumerate(epochs, start=3):
        windows = [numbers for numbers, _ in epoch]
        np.testing.assert_array_equal(np.sort(np.concatenate(windows)), np.arange(m))
        for taken, expected in zip(windows, order_of(plan, number), strict=True):
            np.testing.assert_array_equal(taken, expected)
    if shuffled and m > 5 and starts != [0, m]:  # whose windows are the same in every epoch
        assert not np.array_equal(epochs[0][0][0], epochs[1][0][0])


@pytest.mark.parametrize("m", [1, 40, 1003])
@pytest.mark.parametrize("piece_rows", [1, 7, 500])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_ranks_read_the_rows_of_their_shards(m, piece_rows, shuffled, ranks):
    """Together all rows; each has the same order, and in its windows the rows that it needs."""
    batch, shards = 13, 8
    shuffles, read = kernels.get("vectorized").shuffle, []
    for rank in range(ranks):
        own = rank * shards // ranks, (rank + 1) * shards // ranks
        rows = rows_of(m, piece_rows=piece_rows)
        plan = plan_windows(rows, 200, batch, seed=4, shuffle=shuffled)
        plan = plan._replace(shards=shards, own=own)
        with Reader(StreamedExamples(rows), plan, range(1), shuffles) as reader:
            for window, expected in zip(reader, order_of(plan, 0), strict=True):
                np.testing.assert_array_equal(window.numbers, expected)
                for i in range(0, len(expected), batch):
                    k = min(batch, len(expected) - i)
                    part = slice(i + k * own[0] // shards, i + k * own[1] // shards)
                    found = window.X[window.order[part], 0]
                    np.testing.assert_array_equal(found, 2 * expected[part])
        read.append(sum(stop - start for start, stop in rows.source.spans))
    assert sum(read) == m if piece_rows == 1 or shuffled else sum(read) <= ranks * m


def test_a_window_takes_many_pieces_and_the_files_own_are_read_once():
    plan = plan_windows(rows_of(100_000), 10_000, 128, seed=0, shuffle=True)
    assert np.diff(plan.starts).min() >= 64
    rows = rows_of(10_000, piece_rows=12)
    plan = plan_windows(rows, 2000, 128, seed=0, shuffle=True)
    assert (plan.bounds[:-1] % 12 == 0).all()
    assert np.diff(plan.starts).min() >= 64
    shuffles = kernels.get("vectorized").shuffle
    with Reader(StreamedExamples(rows), plan, range(1), shuffles) as reader:
        for _ in reader:
            pass
    spans = sorted(rows.source.spans)
    assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
    assert rows.source.threads == {"fastnn reader"}


@pytest.mark.parametrize(
    ("starts", "bounds", "runs"),
    [
        # up to 200 rows a piece: 250 and 650 are cut, 30 and 70 taken together, 200 left alone
        ([0, 250, 280, 350, 550, 1200],
         [0, 125, 250, 350, 550, 712, 875, 1037, 1200], [0, 2, 3, 4, 8]),
        ([0, 5, 9, 10, 15, 16], [0, 5, 10, 15, 16], [0, 1, 2, 3, 4]),
        ([0, 30, 31, 32, 62], [0, 30, 32, 62], [0, 1, 2, 3]),
    ],
)  # fmt: skip
def test_what_is_decoded_from_its_begin_is_read_in_its_order(starts, bounds, runs):
    rows = rows_of(starts[-1], starts=starts)
    plan = plan_windows(rows, 200, 8, seed=0, shuffle=True)
    assert plan.bounds.tolist() == bounds
    assert plan.runs.tolist() == runs
    mask = np.ones(starts[-1], bool)
    mask[: starts[1]] = False  # nothing of the first piece: what is left is the same
    plan = plan_windows(SelectedRows(rows, mask), 200, 8, seed=0, shuffle=True)
    left = [row - starts[1] for row in bounds if row >= starts[1]]
    assert plan.bounds.tolist() == left
    assert plan.runs.tolist() == [run - runs[1] for run in runs[1:]]


@pytest.mark.parametrize("piece_rows", [1, 7, 5000])
def test_some_rows_of_a_source(piece_rows):
    rows, mask = rows_of(9001, piece_rows=piece_rows), np.random.default_rng(1).random(9001) < 0.7
    mask[4096:8192] = False  # a block of none
    some = SelectedRows(rows, mask)
    expected = np.flatnonzero(mask)
    assert some.shape == (len(expected), 2)
    for start, stop in ((0, len(expected)), (0, 0), (5, 6), (2000, len(expected)), (17, 3001)):
        out = np.empty((stop - start, 2), "f")
        some.read([(start, stop)], out)
        np.testing.assert_array_equal(out, rows.source.X[expected[start:stop]])
        places = np.arange(9001)[some.rows(start, stop)]
        np.testing.assert_array_equal(places, expected[start:stop])
    for row in (0, 3, 4095, 4096, 6000, 8192, 9001):
        assert some.first_beyond(row) == (expected < row).sum()


@pytest.mark.parametrize("piece_rows", [1, 50])
def test_pieces_of_some_rows_end_where_those_of_the_file_end(piece_rows):
    rows = rows_of(3000, piece_rows=piece_rows)
    mask = np.random.default_rng(1).random(3000) < 0.5
    plan = plan_windows(SelectedRows(rows, mask), 400, 16, seed=1, shuffle=True)
    places = np.append(np.flatnonzero(mask), 3000)[plan.bounds]
    before = np.append(-1, np.flatnonzero(mask))[plan.bounds]
    for first, last in zip(places, before, strict=True):  # a multiple lies between the two
        assert first // piece_rows > last // piece_rows or piece_rows == 1
    assert (np.diff(plan.bounds) > 0).all()


class TestRefusedRows:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_name_the_row(self, value):
        rows = rows_of(50)
        rows.source.X[33, 1] = value
        rows.read([(0, 33)], np.empty((33, 2), "f"))
        with pytest.raises(DataError, match=rf"X holds {value} in row 33; drop those rows"):
            rows.read([(40, 50), (30, 40), (0, 5)], np.empty((25, 2), "f"))
        mask = np.ones(50, bool)
        mask[:10] = False
        with pytest.raises(DataError, match=r"in row 33;"):
            SelectedRows(rows, mask).read([(15, 30)], np.empty((15, 2), "f"))

    def test_that_the_network_could_not_hold(self):
        rows = CheckedRows(streamed.ArrayRows(np.full((4, 2), 1e300)), FLOAT)
        with pytest.raises(DataError, match=r"X holds numbers up to 1e\+300"):
            rows.read([(0, 4)], np.empty((4, 2)))


class TestReader:
    def reader(self, rows, epochs=2):
        plan = plan_windows(rows, 50, 8, seed=0, shuffle=True)
        shuffles = kernels.get("vectorized").shuffle
        return Reader(StreamedExamples(rows), plan, range(epochs), shuffles)

    def read(self, reader):
        """Take all windows, and return the numbers of the last one."""
        with reader:
            return [window.numbers.tolist() for window in reader][-1]

    def test_is_joined_whatever_happens(self):
        for windows in (0, 1, 2, 20):
            with pytest.raises(KeyError), self.reader(rows_of(500)) as reader:  # noqa: PT012
                for _, window in zip(range(windows), reader, strict=False):
                    assert len(window.X)
                raise KeyError
            assert not streamed.readers()

    def test_hands_over_the_error_itself(self):
        X, failure = np.zeros((500, 2), "f"), OSError("the disk is gone")
        for after in (0, 7, 40):
            rows = CheckedRows(streamed.FailingRows(X, failure, after), FLOAT)
            with pytest.raises(OSError, match="the disk is gone") as found:
                self.read(self.reader(rows))
            assert found.value is failure
            assert not streamed.readers()

    def test_looks_between_epochs_whether_rows_have_changed(self, monkeypatch):
        rows = rows_of(500)

        def changed():
            raise DataError("the file has changed")

        monkeypatch.setattr(rows, "check_unchanged", changed)
        assert self.read(self.reader(rows, epochs=1))
        with pytest.raises(DataError, match="has changed"):
            self.read(self.reader(rows))
