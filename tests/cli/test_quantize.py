"""The command line: networks quantised, and what reads their files."""

import csv
import io

import h5py
import numpy as np
import pandas as pd
import pytest

import fastnn
from fastnn import data
from fastnn.cli.main import main
from fastnn.network.description import state_of
from fastnn.saving import model_file


@pytest.fixture
def digits(tmp_path):
    """A network of the bundled digits as `fastnn train` writes it, and its path."""
    found = data.digits()
    X = data.flatten_images(found.X)
    net = fastnn.Network.mlp([64, 16, 10], output="softmax", rescale=1 / 16)
    net.fit(X, found.y, epochs=2, progress=False)
    notes = {"classes": list(found.classes), "image_shape": [8, 8], "pixel_max": 16}
    path = tmp_path / "digits.safetensors"
    model_file.save(state_of(net), path, notes=notes)
    return net, str(path), X, found.y


@pytest.mark.medium
def test_the_file_predicts_what_the_network_quantised_in_python_does(digits, tmp_path, capsys):
    net, path, X, y = digits
    out = tmp_path / "small.safetensors"
    assert main(["quantize", path, "--out", str(out), "--rows", "100000"]) == 0
    text = capsys.readouterr().out
    small, wanted = fastnn.load(out), net.quantize(X)
    assert isinstance(small, type(wanted))
    np.testing.assert_array_equal(small.predict_proba(X), wanted.predict_proba(X))
    accuracies = [f"{100 * one.evaluate(X, y)['accuracy']:.2f} %" for one in (net, small)]
    assert f"accuracy  {accuracies[0]} in float32, {accuracies[1]} in int8, of 1,797 rows" in text
    assert f"report    {small.report}\n" in text
    assert text.startswith("sample    1,797 of 1,797 rows\n")
    assert text.endswith(f"wrote {out}\n")


@pytest.mark.medium
def test_the_sample_is_rows_evenly_apart(digits, tmp_path, capsys):
    net, path, X, _ = digits
    out = tmp_path / "small.safetensors"
    assert main(["quantize", path, "--out", str(out), "--rows", "5"]) == 0
    assert "sample    5 of 1,797 rows" in capsys.readouterr().out
    some = [0, 449, 898, 1347, 1796]
    assert fastnn.load(out).report == net.quantize(X[some]).report


@pytest.mark.medium
def test_predict_and_export_take_the_file(digits, tmp_path, capsys):
    pytest.importorskip("onnx")
    image = pytest.importorskip("PIL.Image")
    _, path, X, _ = digits
    small = str(tmp_path / "small.safetensors")
    main(["quantize", path, "--out", small])
    picture = tmp_path / "one.png"
    image.fromarray((X[5].reshape(8, 8) * (255 / 16)).astype(np.uint8)).save(picture)
    capsys.readouterr()
    assert main(["predict", small, "--csv", str(picture)]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    p = [float(row[f"probability of {name}"]) for name in range(10)]
    np.testing.assert_allclose(p, fastnn.load(small).predict_proba(X[5:6])[0], atol=0.03)
    assert main(["export", small, "--onnx", str(tmp_path / "small.onnx")]) == 0
    assert "a column for each class: 0, 1, 2" in capsys.readouterr().err


@pytest.mark.medium
def test_data_of_a_file_and_of_a_table(digits, tmp_path, capsys):
    _, path, X, y = digits
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["train_set_x"], file["train_set_y"] = X[:40].reshape(40, 8, 8), y[:40]
        file["list_classes"] = np.array([b"a", b"b"] + [b"other"] * 8)
    out = str(tmp_path / "small.safetensors")
    assert main(["quantize", path, str(tmp_path / "some.h5"), "--out", out]) == 0
    text = capsys.readouterr().out
    assert "sample    40 of 40 rows" in text
    assert "accuracy" not in text  # its classes have other names

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.choice(list("xyz"), 200)})
    frame["value"] = 3 * frame["a"] + 10 * (frame["b"] == "y") + 100
    table, model = str(tmp_path / "t.csv"), tmp_path / "out" / "model.safetensors"
    frame.to_csv(table, index=False)
    arguments = ["--table", table, "--target", "value", "--epochs", "2"]
    assert main(["train", *arguments, "--out", str(model.parent)]) == 0
    capsys.readouterr()
    call = ["quantize", str(model), table, "--out", out]
    assert main([*call, "--overwrite"]) == 0
    assert "int8, of 200 rows" in capsys.readouterr().out
    assert main(["predict", out, table]) == 0
    text, told = capsys.readouterr()
    assert "against value in this table, 200 rows: RMSE" in told
    assert len(text.splitlines()) == 201
    assert main(["quantize", str(model), "--out", out, "--overwrite"]) == 1
    assert "predicts rows of a table; name one as DATA" in capsys.readouterr().err


@pytest.mark.medium
def test_what_is_refused_leaves_no_file(digits, tmp_path, capsys):
    net, path, _, _ = digits
    out = tmp_path / "small.safetensors"
    ensemble, other = str(tmp_path / "several.safetensors"), str(tmp_path / "other.safetensors")
    fastnn.Ensemble([net]).save(ensemble)
    fastnn.Network([fastnn.Dense(2)], inputs=7).save(other)
    for arguments, words in (
        ([path, "--max-error", "1e-7"], "more than max_error=1e-07"),
        ([ensemble], "holds another kind of model, Ensemble; give the file of one"),
        ([other], "this network is not trained"),
        ([path, "none.h5"], "there is no file 'none.h5'"),
    ):
        assert main(["quantize", *arguments, "--out", str(out)]) == 1
        assert words in capsys.readouterr().err
        assert not out.exists()
    assert main(["export", ensemble, "--onnx", str(tmp_path / "a.onnx")]) == 1
    assert "holds an ensemble, and a graph holds one network" in capsys.readouterr().err
    main(["quantize", path, "--out", str(out)])
    before = out.read_bytes()
    assert main(["quantize", path, "--out", str(out)]) == 1
    assert "exists already; add --overwrite" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_model_file_is_opened_once(digits, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    opened, calls = model_file.opened, []

    def counted(path):
        calls.append(path)
        return opened(path)

    monkeypatch.setattr(model_file, "opened", counted)
    path = digits[1]
    fastnn.load(path)
    main(["export", path, "--onnx", str(tmp_path / "a.onnx")])
    main(["predict", path, "none.png"])
    assert calls == [path] * 3
