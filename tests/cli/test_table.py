"""The command line on tables: trained, asked for the rows of others, refused in one sentence."""

import json

import numpy as np
import pytest

from fastnn.cli.main import main
from fastnn.network.loading import load_with_notes
from fastnn.saving import model_file

pd = pytest.importorskip("pandas", reason="pandas is not installed")

FAST = ["--layers", "8", "--epochs", "40", "--learning-rate", "0.03"]


@pytest.fixture(scope="module")
def people():
    """120 rows: what they earn follows from age and job; some values are missing."""
    rng = np.random.default_rng(0)
    job = rng.choice(["cook", "nurse", "smith"], 120)
    age = rng.integers(20, 60, 120).astype(float)
    wage = 1000 * (job == "nurse") + 3000 * (job == "smith") + 50 * age
    age[::9] = np.nan
    return pd.DataFrame(
        {
            "id": np.arange(120) + 7000,
            "age": age,
            "job": job,
            "since": pd.date_range("2020-01-01", periods=120, freq="9D").strftime("%Y-%m-%d"),
            "empty": np.nan,
            "wage": wage,
            "rich": np.where(job == "smith", "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def folder(people, tmp_path_factory):
    """A folder with people.csv, and a model for `rich` and one for `wage`."""
    folder = tmp_path_factory.mktemp("tables")
    people.to_csv(folder / "people.csv", index=False)
    for target, other in (("rich", "wage"), ("wage", "rich")):
        assert train(folder, "--target", target, "--drop", other, "--out", folder / target) == 0
    return folder


def train(folder, *options):
    return main(["train", "--table", str(folder / "people.csv"), *FAST, *map(str, options)])


def predict(model, table, capsys):
    """The predictions for a file, and what was said of them."""
    capsys.readouterr()
    assert main(["predict", str(model / "model.safetensors"), str(table)]) == 0
    text, told = capsys.readouterr()
    lines = [line.split(",") for line in text.splitlines()]
    return pd.DataFrame(lines[1:], columns=lines[0]), told


def test_says_what_became_of_the_columns(folder, tmp_path, capsys):
    assert train(folder, "--target", "rich", "--drop", "wage", "--out", tmp_path) == 0
    text = capsys.readouterr().out
    assert "people: 96 training rows, 24 test rows" in text
    assert "2 classes: no, yes" in text
    for line in (
        r"target    rich, a class",
        r"number    age; scaled by median and quartiles.*; missing age in \d+ rows: the median",
        r"category  job \(3 values\); 3 features of 0 and 1",
        r"date      since \(days, month, day, weekday\)",
        r"left out  id \(.* identify the rows\), empty \(all its values are missing\)",
        r"always answering 'no': test accuracy \d",
    ):
        assert pd.Series(text.splitlines()).str.contains(line).any(), line
    assert (tmp_path / "model.safetensors").exists()


def test_classes_by_name_with_probabilities(folder, people, capsys):
    found, told = predict(folder / "rich", folder / "people.csv", capsys)
    assert list(found) == ["prediction", "probability of no", "probability of yes"]
    p = found[["probability of no", "probability of yes"]].to_numpy(float)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert (found["prediction"] == np.array(["no", "yes"])[p.argmax(axis=1)]).all()
    share = (found["prediction"] == people["rich"]).mean()
    assert share > 0.9
    assert f"120 rows: accuracy {100 * share:.2f}" in told


def test_numbers_in_the_unit_of_the_target(folder, people, capsys):
    found, told = predict(folder / "wage", folder / "people.csv", capsys)
    y, values = people["wage"], found["prediction"].astype(float)
    rmse = np.sqrt(np.mean((y - values) ** 2))
    assert rmse < 0.5 * y.std()
    assert f"RMSE {rmse:,.5g}" in told


def test_the_model_itself_predicts_in_that_unit(folder, people):
    net, notes = load_with_notes(folder / "wage" / "model.safetensors")
    from fastnn.data import TableEncoder

    X = TableEncoder.from_config(notes["table"]["encoder"]).transform(people)
    assert abs(net.predict(X).mean() - people["wage"].mean()) < 300


def test_columns_in_any_order_and_unseen_values(folder, people, tmp_path, capsys):
    rows = people.iloc[:5]
    rows.to_csv(tmp_path / "rows.csv", index=False)
    rows.drop(columns="rich").iloc[:, ::-1].to_csv(tmp_path / "turned.csv", index=False)
    straight, _ = predict(folder / "rich", tmp_path / "rows.csv", capsys)
    turned, told = predict(folder / "rich", tmp_path / "turned.csv", capsys)
    pd.testing.assert_frame_equal(turned, straight)
    assert told == ""
    odd = rows.drop(columns=["rich", "id", "wage"]).assign(
        job="pilot", age=None, since="2031-05-01"
    )
    odd.to_csv(tmp_path / "odd.csv", index=False)
    assert len(predict(folder / "rich", tmp_path / "odd.csv", capsys)[0]) == 5


def test_a_file_of_test_rows(folder, people, tmp_path, capsys):
    people[:30].to_csv(tmp_path / "test.csv", index=False)
    test = ["--target", "rich", "--drop", "wage,since", "--test", tmp_path / "test.csv"]
    assert train(folder, *test, "--out", tmp_path) == 0
    assert "120 training rows, 30 test rows" in capsys.readouterr().out
    people[:30].drop(columns="rich").to_csv(tmp_path / "test.csv", index=False)
    assert train(folder, *test, "--out", tmp_path / "other") == 1
    assert "test.csv': the table has no column 'rich'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "Rich"], "no column 'Rich', it has: id, age, job, since, empty, wage, rich; "
         "did you mean 'rich'?"),
        (["--target", "id", "--task", "classification"], "120 different values in 120 rows"),
        (["--target", "empty"], "missing in all rows"),
        (["--target", "age"], "target 'age' is missing in 14 rows"),
        (["--target", "rich", "--features", "ages"], "no column 'ages'.*did you mean 'age'?"),
        (["--target", "rich", "--features", "empty"], "no column can be learnt from"),
        (["--target", "rich", "--test", "no.csv"], "no file 'no.csv'"),
    ],
)  # fmt: skip
def test_refused_in_one_sentence(folder, tmp_path, capsys, options, words):
    out = tmp_path / "out"
    assert train(folder, *options, "--out", out) == 1
    text, told = capsys.readouterr()
    assert text == ""
    assert pd.Series([told]).str.contains(words.replace("?", r"\?")).all(), told
    assert told.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--table", "t.csv"], "needs --target"),
        (["--target", "y"], "name its file with --table"),
        (["--drop", "y"], "name its file with --table"),
        (["--table", "t.csv", "--target", "y", "--images", "d"], "do not go together"),
    ],
)
def test_usage(options, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", *options])
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("age,since\n30,2020-01-01\n", "no column 'job', it has: age, since"),
        ("age,job,since\nold,cook,2020-01-01\n", "'age' holds 'old' in row 0"),
        ("age,job,since\n", "no rows"),
        ("", "is empty"),
    ],
)
def test_tables_that_cannot_be_predicted(folder, tmp_path, capsys, table, words):
    (tmp_path / "new.csv").write_text(table)
    model = str(folder / "rich" / "model.safetensors")
    assert main(["predict", model, str(tmp_path / "new.csv")]) == 1
    text, told = capsys.readouterr()
    assert text == ""
    assert words in told
    assert main(["predict", model, "a.csv", "b.csv"]) == 1
    assert "give one CSV or Parquet file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["table"], []),
        (["table", "encoder"], {}),
        (["table", "encoder", "columns", 0, "kind"], "code"),
        (["table", "encoder", "columns"], lambda columns: columns[:1]),
        (["table", "target"], 3),
        (["table", "task"], "regression"),
        (["classes"], ["no"]),
        (["classes"], ["no", "no"]),
        (["classes"], 2),
    ],
)
def test_forged_notes_are_refused(folder, tmp_path, capsys, place, value):
    from fastnn.network.description import state_of

    net, notes = load_with_notes(folder / "rich" / "model.safetensors")
    notes = json.loads(json.dumps(notes))
    inner = notes
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value(inner[place[-1]]) if callable(value) else value
    model_file.save(state_of(net), tmp_path / "forged.safetensors", notes=notes)
    assert main(["predict", str(tmp_path / "forged.safetensors"), str(folder / "people.csv")]) == 1
    text, told = capsys.readouterr()
    assert text == ""
    assert "forged.safetensors' does not" in told
