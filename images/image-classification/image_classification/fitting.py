"""Training: epochs of updates, their lines in the log, the model that is kept (contract G1, G3).

Everything from the network on. What is asked for has been judged before; pictures are decoded by
`batches`, ahead of the network's work.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

import mxnet as mx
import numpy as np

from image_classification import checkpoints, cluster, narration, network, pretrained
from image_classification.accuracy import Tally
from image_classification.batches import Batch, batches
from image_classification.channels import Channel
from image_classification.hyperparameters import Configuration
from image_classification.sources import Source

_LINE_EVERY_BATCHES = 20


def fit(
    configuration: Configuration,
    train: Source,
    validation: Source,
    *,
    model: Channel | None,
    hosts: cluster.Hosts,
) -> None:
    """Train a network and leave the model in /opt/ml/model.

    Args:
        train: this host's share of the data.
        validation: all of it; only the first host reads it.
        model: what to start from, if anything.

    Raises:
        CustomerError: the data or the model to start from are not what the job needs.
    """
    if configuration.precision_dtype == "float16":
        narration.say(
            "precision_dtype is float16, but this processor has no arithmetic of that kind: "
            "training in float32.",
            level="WARNING",
        )
    with cluster.joined(hosts) as team:
        _Training(configuration, train, validation, model, team).run()


@dataclass
class _EarlyStopping:
    """Knows when accuracy has got no better for too long."""

    configuration: Configuration
    _best: float | None = None
    _waited: int = 0

    def due(self, epoch: int, accuracy: float) -> bool:
        """Return whether to stop after `epoch` (from 0), which had this validation accuracy."""
        asked = self.configuration
        if self._better(accuracy):
            self._best, self._waited = accuracy, 0
            return False
        self._waited += 1
        return (
            asked.early_stopping
            and epoch + 1 >= asked.early_stopping_min_epochs
            and self._waited >= asked.early_stopping_patience
        )

    def _better(self, accuracy: float) -> bool:
        if not self._best:
            return self._best is None or accuracy > 0
        gained = (accuracy - self._best) / self._best
        return gained > 0 and gained >= self.configuration.early_stopping_tolerance


class _Training:
    """One host's work on the network."""

    def __init__(
        self,
        configuration: Configuration,
        train: Source,
        validation: Source,
        model: Channel | None,
        team: cluster.Team,
    ) -> None:
        self._configuration, self._team = configuration, team
        self._train, self._validation = train, validation
        # A stream's epochs come once: one whose labels are counted can't be trained on as well.
        self._counted_epochs = int(configuration.use_weighted_loss)
        self._label_weights = self._weighed() if configuration.use_weighted_loss else None
        served = network.symbol(
            configuration.num_layers,
            configuration.image_shape,
            configuration.num_classes,
            configuration.multi_label,
        )
        start = pretrained.weights(configuration, model, served)
        self._checkpoints = checkpoints.Checkpoints(
            checkpoints.MODEL_DIRECTORY, served, configuration
        )
        self._store = self._opened_store()
        self._module = self._bound(served)
        self._initialise(start)

    # Before the first epoch.

    def _weighed(self) -> np.ndarray:
        """Return how much the presence of each class counts: its absences for each presence."""
        labels = np.stack([example.label for example in self._train.epoch(0)])
        present = labels.sum(axis=0)
        weights: np.ndarray = np.maximum(len(labels) - present, 1) / np.maximum(present, 1)
        return weights.astype(np.float32)

    def _opened_store(self) -> mx.kvstore.KVStore | None:
        if self._team.hosts.parts == 1:
            return None
        return mx.kv.create(self._configuration.kv_store or "dist_sync")

    def _bound(self, served: mx.sym.Symbol) -> mx.mod.Module:
        configuration = self._configuration
        examples = configuration.mini_batch_size
        label = (examples, configuration.num_classes) if configuration.multi_label else (examples,)
        labels, trained = [("softmax_label", label)], served
        if self._label_weights is not None:
            last = network.scores(
                configuration.num_layers, configuration.image_shape, configuration.num_classes
            )
            trained = network.weighted(last, configuration.num_classes)
            labels.append(("label_weights", label))
        module = mx.mod.Module(trained, label_names=[name for name, _ in labels])
        module.bind(
            data_shapes=[("data", (examples, *configuration.image_shape))], label_shapes=labels
        )
        return module

    def _initialise(self, start: pretrained.Weights | None) -> None:
        self._module.init_params(
            mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2),
            arg_params=start and start.arguments,
            aux_params=start and start.statistics,
            allow_missing=True,
        )
        configuration = self._configuration
        self._module.init_optimizer(
            kvstore=self._store,
            optimizer=configuration.optimizer,
            optimizer_params=_optimizer_parameters(configuration, self._team.hosts.parts),
        )

    # Epochs.

    def run(self) -> None:
        configuration = self._configuration
        stopping, best = _EarlyStopping(configuration), -1.0
        for epoch in range(configuration.epochs):
            self._train_epoch(epoch)
            done = epoch + 1 == configuration.epochs
            if self._team.leads:
                accuracy = self._validate(epoch)
                done = stopping.due(epoch, accuracy) or done
                self._keep(epoch, accuracy, best=accuracy > best, last=done)
                best = max(best, accuracy)
            if self._team.most(done):
                break

    def _train_epoch(self, epoch: int) -> None:
        tally, waiting = self._tally(), None
        begun = since = time.monotonic()
        reading = epoch + self._counted_epochs
        with closing(batches(self._train, reading, self._configuration, training=True)) as found:
            for number, batch in enumerate(found):
                self._module.forward_backward(self._fed(batch))
                self._module.update()
                # MXNet works while Python goes on: predictions are asked for a batch later.
                if waiting is not None:
                    _count(tally, *waiting)
                waiting = self._module.get_outputs()[0].copy(), batch
                if number and number % _LINE_EVERY_BATCHES == 0:
                    _count(tally, *waiting)
                    waiting, now = None, time.monotonic()
                    samples = _LINE_EVERY_BATCHES * len(batch.data)
                    narration.speed(epoch, number, samples / (now - since), tally.shares())
                    since = now
        if waiting is not None:
            _count(tally, *waiting)
        if not tally.finite:
            narration.say(
                f"Epoch[{epoch}] The network's outputs are not numbers: learning_rate may be too "
                "large.",
                level="WARNING",
            )
        narration.trained(epoch, tally.shares(), time.monotonic() - begun)

    def _validate(self, epoch: int) -> float:
        """Log how well the network does on the validation data; returns its accuracy."""
        tally = self._tally()
        found = batches(self._validation, epoch, self._configuration, training=False)
        with closing(found):
            for batch in found:
                self._module.forward(self._fed(batch), is_train=False)
                _count(tally, self._module.get_outputs()[0], batch)
        narration.validated(epoch, tally.shares())
        return tally.shares()[0][1]

    def _keep(self, epoch: int, accuracy: float, *, best: bool, last: bool) -> None:
        """Save the model if it is the best, or with `checkpoint_frequency` if its turn has come."""
        frequency = self._configuration.checkpoint_frequency
        if frequency is None:
            if not best:
                return
            narration.storing_best(accuracy)
        elif (epoch + 1) % frequency and not last:
            return
        path = self._checkpoints.save(epoch, *self._module.get_params(), alone=frequency is None)
        narration.saved(path)

    def _tally(self) -> Tally:
        return Tally(multi_label=self._configuration.multi_label, top_k=self._configuration.top_k)

    def _fed(self, batch: Batch) -> mx.io.DataBatch:
        labels = [mx.nd.array(batch.label)]
        if self._label_weights is not None:
            labels.append(mx.nd.array(np.where(batch.label > 0.5, self._label_weights, 1)))
        return mx.io.DataBatch([mx.nd.array(batch.data)], labels, pad=batch.padding)


def _count(tally: Tally, probabilities: mx.nd.NDArray, batch: Batch) -> None:
    """Count the predictions for a batch, without those that only fill it."""
    real = len(batch.data) - batch.padding
    tally.add(probabilities.asnumpy()[:real], batch.label[:real])


def _optimizer_parameters(configuration: Configuration, hosts: int) -> dict[str, object]:
    """Return what MXNet calls the hyperparameters of the optimizer that was chosen."""
    parameters: dict[str, object] = {
        "learning_rate": configuration.learning_rate,
        "wd": configuration.weight_decay,
    }
    if configuration.optimizer in ("sgd", "nag"):
        parameters["momentum"] = configuration.momentum
    elif configuration.optimizer == "adam":
        parameters["beta1"], parameters["beta2"] = configuration.beta_1, configuration.beta_2
        parameters["epsilon"] = configuration.eps
    else:
        parameters["gamma1"], parameters["epsilon"] = configuration.gamma, configuration.eps
    if configuration.lr_scheduler_step:
        # By what the job says of its data, as on AWS, rather than by what is read.
        share = configuration.num_training_samples // hosts
        updates = max(1, -(-share // configuration.mini_batch_size))
        parameters["lr_scheduler"] = mx.lr_scheduler.MultiFactorScheduler(
            [epoch * updates for epoch in configuration.lr_scheduler_step],
            factor=configuration.lr_scheduler_factor,
            base_lr=configuration.learning_rate,
        )
    return parameters
