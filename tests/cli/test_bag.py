"""`fastnn train --table FILE --target Y --bag`, and predictions by the model that it writes."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd

import fastnn
from fastnn.cli.main import main

pytestmark = pytest.mark.medium


@pytest.fixture
def flats(tmp_path, monkeypatch):
    """A table of 60 flats as CSV, in the folder where the commands run."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "area": rng.integers(20, 150, 60),
            "district": rng.choice(["A", "B"], 60),
            "code": rng.integers(1, 4, 60),
        }
    )
    frame["rent"] = 10.0 * frame["area"] + 100 * (frame["district"] == "A")
    frame["dear"] = np.where(frame["rent"] > 900, "yes", "no")
    frame.to_csv("flats.csv", index=False)
    return frame


def run(capsys, *arguments):
    code = main(list(arguments))
    return code, *capsys.readouterr()


def test_a_regression_from_file_to_predictions(flats, capsys):
    code, out, _ = run(
        capsys, "train", "--table", "flats.csv", "--target", "rent", "--drop", "dear",
        "--categories", "code", "--bag", "2", "--out", "rents",
    )  # fmt: skip
    assert code == 0
    for words in ("rent, a number", "code (3 values)", "with codes", "test RMSE", "wrote"):
        assert words in out
    model = fastnn.load("rents/model.safetensors")
    assert isinstance(model, fastnn.TabularRegressor)
    assert len(model.networks_) == 3
    code, out, err = run(capsys, "predict", "rents/model.safetensors", "flats.csv")
    assert code == 0
    assert "against rent in this table, 60 rows: RMSE" in err
    told = np.array(out.split()[1:], float)
    np.testing.assert_allclose(told, model.predict(flats), rtol=1e-6)


def test_a_model_of_several_targets_predicts_a_column_of_each(flats, capsys):
    targets = flats[["rent", "area"]]
    model = fastnn.TabularRegressor(bag=1, max_time=1e-9).fit(flats[["code", "district"]], targets)
    model.save("both.safetensors")
    code, out, _ = run(capsys, "predict", "both.safetensors", "flats.csv")
    assert code == 0
    first, *lines = out.splitlines()
    assert first == "prediction of rent,prediction of area"
    told = np.array([line.split(",") for line in lines], float)
    np.testing.assert_allclose(told, model.predict(flats), rtol=1e-6)


def test_classes_from_file_to_predictions(flats, capsys):
    code, out, _ = run(
        capsys, "train", "--table", "flats.csv", "--target", "dear", "--drop", "rent", "--bag", "2",
    )  # fmt: skip
    assert code == 0
    assert "dear, a class" in out
    assert "always answering 'no'" in out or "always answering 'yes'" in out
    code, out, err = run(capsys, "predict", "fastnn-out/model.safetensors", "flats.csv")
    assert code == 0
    assert "against dear in this table, 60 rows: accuracy" in err
    lines = out.splitlines()
    assert lines[0] == "prediction,probability of no,probability of yes"
    model = fastnn.load("fastnn-out/model.safetensors")
    assert [line.split(",")[0] for line in lines[1:]] == model.predict(flats).tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bag"], "--bag is about a table"),
        (["--table", "flats.csv", "--target", "rent", "--max-time", "9"], "add --bag"),
        (
            ["--table", "flats.csv", "--target", "rent", "--bag", "--epochs", "9"],
            "--epochs is about one network",
        ),
        (["--table", "flats.csv", "--target", "rent", "--bag", "none"], "none"),
    ],
)
def test_options_that_do_not_go_together(arguments, words, flats, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", *arguments])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_a_bag_is_exported_with_its_encoding(flats, capsys):
    pytest.importorskip("onnx", reason="onnx is not installed")
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    X = flats[["area", "district"]]
    model = fastnn.TabularRegressor(bag=1, random_state=0).fit(X, flats["rent"])
    model.save("rents.safetensors")
    code, _, told = run(capsys, "export", "rents.safetensors", "--onnx", "rents.onnx")
    assert code == 0
    assert "area, district" in told
    rows = {
        "area": X[["area"]].to_numpy(np.float64), "district": X[["district"]].to_numpy(object),
    }  # fmt: skip
    (values,) = ort.InferenceSession("rents.onnx").run(None, rows)
    np.testing.assert_allclose(values[:, 0], model.predict(X), rtol=1e-5)
    code, _, told = run(
        capsys, "export", "rents.safetensors", "--onnx", "b.onnx", "--input-dtype", "uint8"
    )
    assert code == 1
    assert "--input-dtype is about one network" in told
