"""TensorBoard and MLflow: what their own readers find of the fits that our callbacks logged."""

import pickle
import sys

import pytest

import fastnn
from fastnn import Adam, Network, data
from fastnn.callbacks import Checkpoint, MLflow, TensorBoard
from fastnn.errors import MissingExtraError, SettingError

X, Y = data.moons(60, 0.2, seed=1)


def network():
    return Network.mlp([2, 4, 1], output="sigmoid", seed=3)


def fit(net, *callbacks, epochs=3, **settings):
    return net.fit(
        X, Y, epochs=epochs, callbacks=callbacks, progress=False, optimizer=Adam(0.02), **settings
    )


@pytest.mark.parametrize(
    ("make", "package"), [(lambda: TensorBoard("logs"), "tensorboard"), (MLflow, "mlflow")]
)
def test_a_missing_package_is_named_with_its_command(make, package, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "fastnn\[{package}\]"'):
        make()


@pytest.fixture
def runs(tmp_path):
    """What TensorBoard's own reader finds: by run, the scalars by tag, as steps and values."""
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )

    def read():
        found = {}
        for folder in sorted((tmp_path / "logs").iterdir()):
            events = reader.EventAccumulator(str(folder))
            events.Reload()
            found[folder.name] = {
                tag: [(e.step, e.value) for e in events.Scalars(tag)]
                for tag in events.Tags()["scalars"]
            }
        return found

    return read


def curve(values, first=0):
    return [(first + k, pytest.approx(v, rel=1e-6)) for k, v in enumerate(values)]


@pytest.mark.medium
class TestTensorBoard:
    def test_curves_of_training_and_validation(self, runs, tmp_path):
        history = fit(network(), TensorBoard(tmp_path / "logs"), validation_split=0.2)
        found = runs()
        assert set(found) == {"train", "validation"}
        for run, before in (("train", ""), ("validation", "validation_")):
            for tag in ("cost", "accuracy"):
                assert found[run][tag] == curve(history[before + tag])

    def test_settings_are_hyperparameters(self, runs, tmp_path):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.plugins.hparams import metadata

        fit(network(), TensorBoard(tmp_path / "logs", params={"batch_size": 128}))
        events = EventAccumulator(str(tmp_path / "logs" / "train"))
        events.Reload()
        content = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
        found = metadata.parse_session_start_info_plugin_data(content).hparams
        assert found["learning_rate"].number_value == 0.02
        assert found["optimizer"].string_value == "Adam"
        assert found["batch_size"].number_value == 128
        assert "Dense(4, activation='relu')" in found["layers"].string_value

    def test_a_fit_that_goes_on_from_a_checkpoint_replaces_later_epochs(self, runs, tmp_path):
        folder, path = tmp_path / "logs", tmp_path / "net.safetensors"
        net = network()
        fit(net, Checkpoint(path, every=2), TensorBoard(folder), epochs=5)
        rest = fit(fastnn.load(path), TensorBoard(folder), epochs=3)  # epochs 4, 5 and 6
        found = runs()["train"]["cost"]
        assert found == curve([*net.history["cost"][:4], *rest["cost"]])

    def test_a_second_fit_appends_and_another_network_begins_anew(self, runs, tmp_path):
        logger, net = TensorBoard(tmp_path / "logs"), network()
        fit(net, logger, epochs=2)
        fit(net, logger, epochs=2)
        assert runs()["train"]["cost"] == curve(net.history["cost"])
        again = fit(network(), logger, epochs=1)
        assert runs()["train"]["cost"] == curve(again["cost"])

    def test_nothing_is_held_open(self, runs, tmp_path):
        logger = TensorBoard(tmp_path / "logs")
        fit(network(), logger, epochs=1)
        assert pickle.loads(pickle.dumps(logger)).folder == str(tmp_path / "logs")

    def test_a_folder_that_cannot_be_made(self, runs, tmp_path):
        (tmp_path / "file").write_text("")
        net = network()
        with pytest.raises(OSError, match="file"):
            fit(net, TensorBoard(tmp_path / "file" / "logs"))
        assert net.history.epochs == 0


@pytest.fixture
def client(tmp_path, monkeypatch):
    """MLflow's own client, on a store of this test's; it sends nothing anywhere."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield mlflow.MlflowClient()
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(before)


def metric(client, run, name):
    return sorted((m.step, m.value) for m in client.get_metric_history(run, name))


@pytest.mark.medium
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
class TestMLflow:
    def test_metrics_and_parameters(self, client):
        logger = MLflow(params={"batch_size": 128})
        history = fit(network(), logger, validation_split=0.2)
        for name in ("cost", "accuracy", "validation_cost", "validation_accuracy"):
            assert metric(client, logger.run_id, name) == curve(history[name])
        run = client.get_run(logger.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params["learning_rate"] == "0.02"
        assert run.data.params["batch_size"] == "128"
        assert "Dense(4, activation='relu')" in run.data.params["layers"]

    def test_a_run_of_its_own_for_every_fit(self, client):
        logger = MLflow()
        fit(network(), logger, epochs=1)
        first = logger.run_id
        fit(network(), logger, epochs=1)
        assert logger.run_id != first

    def test_the_active_run_is_taken_and_stays_active(self, client):
        import mlflow

        with mlflow.start_run() as run:
            history = fit(network(), MLflow(), epochs=2)
            assert mlflow.active_run().info.run_id == run.info.run_id
        assert metric(client, run.info.run_id, "cost") == curve(history["cost"])

    def test_a_fit_that_goes_on_logs_what_the_run_lacks(self, client, tmp_path):
        path, net, logger = tmp_path / "net.safetensors", network(), MLflow()
        fit(net, Checkpoint(path, every=2), logger, epochs=5)
        rest = fit(fastnn.load(path), MLflow(logger.run_id), epochs=3)
        expected = curve([*net.history["cost"][:4], *rest["cost"]])
        assert metric(client, logger.run_id, "cost") == expected

    def test_a_run_itself_is_taken(self, client):
        run = client.create_run("0")
        history = fit(network(), MLflow(run), epochs=1)
        assert metric(client, run.info.run_id, "cost") == curve(history["cost"])

    def test_bad_input(self, client):
        with pytest.raises(SettingError, match="run must be a run of MLflow or its id, got 3"):
            MLflow(3)
        net = network()
        with pytest.raises(Exception, match="nothere"):
            fit(net, MLflow("nothere"))
        assert net.history.epochs == 0
