"""The worked examples run as programs and print what they promise."""

import re
import runpy
from pathlib import Path

import pytest

import fastnn.examples

pytestmark = pytest.mark.medium

FOLDER = Path(fastnn.examples.__file__).parent
NAMES = sorted(p.stem for p in FOLDER.glob("[!_]*.py"))


@pytest.fixture
def printed(capsys):
    """What an example prints, run as `python -m` runs it."""

    def run(name):
        runpy.run_module(f"fastnn.examples.{name}", run_name="__main__")
        return capsys.readouterr().out

    return run


def percent(text, before):
    """The percentage that follows a text."""
    return float(re.search(rf"{before} (\d+\.\d+)%", text)[1])


def test_digits(printed):
    text = printed("digits")
    assert percent(text, "test accuracy:") > 94
    assert re.search(r"^9( +[01]\.\d{3}){3} +\d+$", text, re.M), "a line for each class"
    assert text.endswith("the loaded model gives the same probabilities: True\n")


def test_images(printed):
    text = printed("images")
    assert "X (1000, 16, 16, 3) uint8" in text
    assert percent(text, "test accuracy:") > 85
    assert percent(text, "train error +") <= percent(text, "dev error +")
    worst = re.findall(r"^dev image \d+, a (?:disc|square), was given (\d+\.\d)%$", text, re.M)
    assert len(worst) == 3
    assert [float(share) for share in worst] == sorted(map(float, worst))


def test_regression(printed):
    text = printed("regression")
    epochs, best = map(int, re.search(r"after (\d+) epochs, .* epoch (\d+)", text).groups())
    assert epochs == best + 21 < 400, "patience 20 ended it"
    scores = dict(re.findall(r"^(the .*): off by .* R² (-?\d\.\d{3})$", text, re.M))
    assert float(scores["the mean price"]) < 0.1
    assert float(scores["the network"]) > 0.95


def test_tuning(printed):
    pytest.importorskip("optuna", reason="Optuna is not installed")
    text = printed("tuning")
    assert text.startswith("trial  units  dropout  learning_rate  validation_accuracy\n")
    assert "16 trials:" in text
    assert percent(text, "test accuracy:") > 93


def test_custom_activation(printed):
    text = printed("custom_activation")
    assert text.startswith("refused: backward is not the derivative of forward")
    assert text.count("gradient right: True") == 2
    costs = dict(re.findall(r"^(\w+): cost of a wave (\d\.\d{4})$", text, re.M))
    assert float(costs["snake"]) < float(costs["tanh"]) / 2


def test_custom_loss(printed):
    text = printed("custom_loss")
    assert text.startswith("refused: slope is not the derivative of cost: at prediction = ")
    assert "compiled: True\n" in text
    assert text.count("gradient right: True") == 2
    # By the definition of an expectile: (1 − τ) Σ of the errors below is τ Σ of those above.
    ratios = re.findall(r"^tau (\d\.\d): errors below over errors above (.*)$", text, re.M)
    assert [round(float(ratio), 2) for _, ratio in ratios] == [1, 9]
    assert [tau for tau, _ in ratios] == ["0.5", "0.9"]


def test_custom_optimizer(printed):
    text = printed("custom_optimizer")
    assert text.startswith("refused: update moves every parameter along its gradient")
    assert "Lion is compiled: True" in text
    assert percent(text, r"Lion\(learning_rate=0.003, weight_decay=0.01\): accuracy") > 95


def test_each_has_a_test_and_at_most_60_lines():
    assert {f"test_{name}" for name in NAMES} <= set(globals())
    for name in NAMES:
        assert len((FOLDER / f"{name}.py").read_text().splitlines()) <= 60, name


def test_the_package_and_the_readme_list_them_all():
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text()
    for name in NAMES:
        assert f"``{name}``" in fastnn.examples.__doc__
        assert f"`{name}`" in readme
