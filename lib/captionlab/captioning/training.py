"""Training a captioning model: the best checkpoint is kept, training stops early, and goes on exactly after a kill.

    trainer = Trainer(CaptionModel(decoder), vocabulary, train, dev, TrainingSettings(epochs=20), folder, metadata)
    trainer.run()

``folder`` then holds ``captioner.safetensors`` (the best epoch's weights, with all it takes to use them),
``training.safetensors`` (everything that decides how training goes on) and ``history.csv``.
"""

from __future__ import annotations

import csv
import io
import json
import math
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from filelock import FileLock, Timeout
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from captionlab.captioning.caption_dataset import CaptionDataset, batches
from captionlab.captioning.evaluation import CaptionModel, Scores, evaluate_generation, evaluate_teacher_forcing
from captionlab.captioning.loss import attention_penalty
from captionlab.captioning.optimization import clip_gradients
from captionlab.captioning.sampling import sampling_probability
from captionlab.captioning.self_critical import self_critical_loss
from captionlab.captioning.settings import TrainingSettings
from captionlab.captioning.vocabulary import END, Vocabulary
from captionlab.common.checkpoints import (
    load_checkpoint,
    load_weights,
    optimizer_state,
    prefixed,
    restore_optimizer,
    save_checkpoint,
    unprefixed,
)
from captionlab.common.files import write_atomically

# Settings of a run, besides the encoder's, that decide what the model sees in training.
LOOKED_AT = ("corpus", "longest", "mirrored", "train_images", "min_frequency", "most_frequent", "vectors")
BEST, STATE, HISTORY = "captioner.safetensors", "training.safetensors", "history.csv"


@dataclass
class Progress:
    """How far training has come; JSON values."""

    epoch: int = 0
    best: float | None = None
    best_epoch: int = 0
    seconds: float = 0.0


class Trainer:
    """Trains a model: the decoder, and its encoder where it has one."""

    def __init__(
        self,
        model: CaptionModel,
        vocabulary: Vocabulary,
        train: CaptionDataset,
        dev: CaptionDataset,
        settings: TrainingSettings,
        folder: Path,
        metadata: dict,
        *,
        progress: bool = True,
        report: Callable[[str], None] = print,
        log: bool = False,
    ) -> None:
        """
        Args:
            train, dev: what is learnt from, and what epochs are compared on.
            folder: for checkpoints and history; training goes on from one that is there.
            metadata: JSON values kept with the weights: vocabulary, encoder, preprocessing.
            progress: show bars. report: told a line an epoch. log: also write TensorBoard's files into ``folder``.

        Raises:
            ValueError: if the folder's checkpoint is of other settings.
        """
        self.vocabulary, self.train_set, self.dev_set = vocabulary, train, dev
        self.settings, self.folder, self.metadata = settings, folder, metadata
        self.progress, self.report, self.log = progress, report, log
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device)
        self.average = self._averaged() if settings.average else None
        self.optimizer = torch.optim.Adam(self._groups())
        self.history: list[dict] = []
        self.done = Progress()
        torch.manual_seed(settings.seed)
        self.chances = torch.Generator().manual_seed(settings.seed)
        self._plateau_rates = [group["lr"] for group in self.optimizer.param_groups]
        if (folder / STATE).is_file():
            self._restore()

    def _averaged(self) -> AveragedModel:
        return AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(self.settings.average), use_buffers=True)

    def _groups(self) -> list[dict]:
        rates = {"decoder": self.settings.rate, "encoder": self.settings.encoder_rate}
        groups = []
        for name, module in self.model.named_children():
            trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
            if trained:
                groups.append({"params": trained, "lr": rates[name]})
        return groups

    # --- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> list[dict]:
        """Train until an end is reached; returns the history, a row an epoch.

        Raises:
            ValueError: if another process is training in the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "lock", timeout=0):
                reason = self._until_ended()
        except Timeout as error:
            raise ValueError(
                f"another process is training in {self.folder}: wait for it, or give another folder"
            ) from error
        self.report(f"training ended: {reason}; best epoch {self.done.best_epoch} ({self.folder / BEST})")
        return self.history

    def _until_ended(self) -> str:
        while not (reason := self._ended()):
            begin = time.monotonic()
            trained = {"train_reward" if self._rewarded() else "train_loss": self._epoch()}
            self.done.seconds += time.monotonic() - begin
            self.done.epoch += 1
            self._judge(trained)
            self._save()
        return reason

    def _ended(self) -> str:
        if self.done.epoch >= self.settings.epochs:
            return f"all {self.settings.epochs} epochs done"
        if self.done.epoch - self.done.best_epoch >= self.settings.patience:
            return f"no better {self.settings.measure} for {self.settings.patience} epochs"
        if self.settings.minutes and self.done.seconds >= 60 * self.settings.minutes:
            return f"{self.settings.minutes:g} minutes of training are over"
        return ""

    def _epoch(self) -> float:
        """Go through the training images once; the mean loss of a word, without the penalty, or the mean reward."""
        self.model.train()
        size, total, words = self.settings.images, 0.0, 0
        steps, rewarded = -(-len(self.train_set) // size), self._rewarded()
        order = batches(self.train_set, size, self.settings.seed, self.done.epoch)
        label = f"epoch {self.done.epoch + 1}/{self.settings.epochs}"
        with tqdm(total=steps, desc=label, unit="batch", disable=None if self.progress else True) as bar:
            for step, (images, variants) in enumerate(order):
                self._set_rates(step, steps)
                take = self.reward_step if rewarded else self.step
                value, count = take(self.train_set.batch(images, variants), self.train_set.encoded[images])
                total, words = total + value * count, words + count
                bar.set_postfix({"reward" if rewarded else "loss": f"{total / words:.3f}"}, refresh=False)
                bar.update()
        return total / words

    def step(self, batch: Tensor, captions: Tensor) -> tuple[float, int]:
        """One update of the weights.

        Args:
            batch: grids (images, positions, channels), of the frozen part where the encoder learns too.
            captions: (images, captions, length), int64.

        Returns:
            The mean cross-entropy of a word in nats before the update, and the number of words.
        """
        settings = self.settings
        probability = sampling_probability(self.done.epoch, settings.slope, settings.highest)
        with self._precision():
            positions = self.model.positions(batch)
            decoded = self.model.decoder(positions, captions.to(self.device), probability, self.chances)
        scores = decoded.scores.float()
        # DecoderOutput holds real words only: padding has already been left out.
        loss = F.cross_entropy(scores, decoded.targets, label_smoothing=settings.smoothing)
        words = F.cross_entropy(scores.detach(), decoded.targets) if settings.smoothing else loss.detach()
        if settings.penalty:
            loss = loss + settings.penalty * attention_penalty(decoded.alphas.float(), settings.reduction)
        self._update(loss)
        return words.item(), len(scores)

    def reward_step(self, batch: Tensor, captions: Tensor) -> tuple[float, int]:
        """One update on captions the model draws itself: :mod:`captionlab.captioning.self_critical`.

        Args:
            batch, captions: as for :meth:`step`.

        Returns:
            The mean reward of the captions drawn before the update, and their number.
        """
        references = [
            [[word for word in caption if word > END] for caption in each if any(caption)] for each in captions.tolist()
        ]
        with self._precision():
            positions = self.model.positions(batch)
            loss, reward = self_critical_loss(
                self.model.decoder, positions, references, self.settings.draws, self.chances
            )
        self._update(loss)
        return reward, len(captions) * self.settings.draws

    def _rewarded(self) -> bool:
        """Whether this epoch is one of the last, which are trained on rewards."""
        return self.done.epoch >= self.settings.epochs - self.settings.reward_epochs

    def _update(self, loss: Tensor) -> None:
        settings = self.settings
        self.optimizer.zero_grad()
        loss.backward()
        trained = (one for group in self.optimizer.param_groups for one in group["params"])
        length = clip_gradients(trained, settings.clip)
        if not math.isfinite(length):
            raise FloatingPointError(
                f"in epoch {self.done.epoch + 1} the gradient's length is {length}: the weights are no longer finite "
                f"numbers; give a lower rate than {settings.rate:g}. {self.folder} holds the epochs before"
            )
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.model)

    def _precision(self) -> torch.autocast:
        wanted = self.settings.precision
        mixed = wanted == "bfloat16" or (wanted == "auto" and self.device.type == "cuda")
        return torch.autocast(self.device.type, torch.bfloat16, enabled=mixed)

    def _set_rates(self, step: int, steps: int) -> None:
        """The learning rates of the update before us, number ``step`` of the epoch's ``steps``."""
        settings, done = self.settings, self.done.epoch * steps + step
        before = (settings.epochs - settings.reward_epochs) * steps  # updates on people's words
        if self._rewarded():
            share = (done - before) / (settings.reward_epochs * steps)
            rates = [settings.reward_rate * _cosine(share)] * len(self._plateau_rates)
        else:
            factor = min(1.0, (done + 1) / settings.warmup) if settings.warmup else 1.0
            factor *= _cosine(done / before) if settings.schedule == "cosine" else 1.0
            rates = [rate * factor for rate in self._plateau_rates]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    # --- after an epoch -----------------------------------------------------------------------------------------------

    def evaluated(self) -> CaptionModel:
        """The weights that count: the moving average where there is one, else the last ones."""
        return self.average.module if self.average else self.model

    def _judge(self, trained: dict) -> None:
        """Evaluate, keep the weights if they are the best, and cut the rate on a plateau."""
        scores = self._evaluate()
        value = -scores.loss if self.settings.measure == "loss" else scores.bleu[3]
        improved = self.done.best is None or value > self.done.best
        if improved:
            self.done.best, self.done.best_epoch = value, self.done.epoch
            metadata = {**self.metadata, "decoder": self.model.decoder.about()}
            save_checkpoint(self.folder / BEST, self.evaluated().state_dict(), metadata)
        elif self.settings.schedule == "plateau":
            since = self.done.epoch - self.done.best_epoch
            if since % self.settings.plateau == 0:
                self._plateau_rates = [rate * self.settings.factor for rate in self._plateau_rates]
        self._note(trained, scores, improved)

    def _evaluate(self) -> Scores:
        forced = evaluate_teacher_forcing(self.evaluated(), self.dev_set)
        free = evaluate_generation(
            self.evaluated(),
            self.vocabulary,
            self.dev_set,
            beams=self.settings.beams,
            by_length=self.settings.by_length,
        )
        return replace(forced, bleu=free.bleu)

    def _note(self, trained: dict, scores: Scores, improved: bool) -> None:
        row = {"epoch": self.done.epoch, "train_loss": None, "train_reward": None, **trained}
        row |= {"dev_loss": scores.loss, "dev_top5": scores.top5}
        row |= {f"dev_bleu{n}": value for n, value in enumerate(scores.bleu, start=1)}
        row |= {"rate": self.optimizer.param_groups[0]["lr"], "seconds": round(self.done.seconds, 1)}
        self.history.append(row)
        self._log(row)
        said = "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in trained.items())
        self.report(
            f"epoch {row['epoch']:3}  {said}  dev loss {scores.loss:.3f}  top-5 {scores.top5:.3f}  "
            f"BLEU-4 {scores.bleu[3]:.4f}  {self.done.seconds / 60:.1f} min{'  best so far' if improved else ''}"
        )

    def _log(self, row: dict) -> None:
        if not self.log:
            return
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.folder)) as writer:
            for name, value in row.items():
                if value is None:
                    continue
                writer.add_scalar(name, value, row["epoch"])

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def _settings(self) -> dict:
        """The settings that decide the numbers; when to stop may differ from one start to the next."""
        counted = self.settings.schedule == "cosine" or self.settings.reward_epochs
        free = ("patience", "minutes") if counted else ("patience", "minutes", "epochs")
        return {name: value for name, value in asdict(self.settings).items() if name not in free}

    def _data(self) -> dict:
        """What the model looks at and reads, by name: a run does not go on with another encoder or other words."""
        words = self.vocabulary.words
        found = {"vocabulary": f"{len(words)} words, {zlib.crc32(' '.join(words).encode()):08x}"}
        found |= self.metadata.get("encoder", {})
        found |= {name: value for name, value in self.metadata.get("about", {}).items() if name in LOOKED_AT}
        return json.loads(json.dumps(found))

    def _save(self) -> None:
        tensors, about = optimizer_state(self.optimizer)
        tensors = {
            **prefixed("model", self.model.state_dict()),
            **prefixed("optimizer", tensors),
            "random.torch": torch.get_rng_state(),
            "random.chances": self.chances.get_state(),
        }
        if self.average:
            tensors |= prefixed("average", self.average.state_dict())
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        record = {
            "optimizer": about,
            "settings": self._settings(),
            "progress": asdict(self.done),
            "history": self.history,
            "rates": self._plateau_rates,
            "decoder": self.model.decoder.about(),
            "data": self._data(),
        }
        # The weights first: were they last, a kill between the two would leave an epoch judged and not kept.
        save_checkpoint(self.folder / STATE, tensors, record)
        self._write_history()

    def _write_history(self) -> None:
        table = io.StringIO()
        writer = csv.DictWriter(table, fieldnames=list(self.history[0]))
        writer.writeheader()
        writer.writerows(self.history)
        write_atomically(self.folder / HISTORY, table.getvalue().encode())

    def _restore(self) -> None:
        tensors, about = load_checkpoint(self.folder / STATE)
        mine = {"settings": self._settings(), "decoder": self.model.decoder.about(), "data": self._data()}
        for part, expected in mine.items():
            for name, value in expected.items():
                found = about.get(part, {}).get(name)
                if found != value:
                    raise ValueError(
                        f"{self.folder} holds a run with {name} {found!r}, this one has {value!r}: "
                        "give the same to go on with it, or another folder to begin anew"
                    )
        load_weights(self.model, unprefixed("model", tensors), STATE)
        restore_optimizer(self.optimizer, unprefixed("optimizer", tensors), about["optimizer"])
        if self.average:
            self.average.load_state_dict(unprefixed("average", tensors))
        torch.set_rng_state(tensors["random.torch"])
        self.chances.set_state(tensors["random.chances"])
        if "random.cuda" in tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"])
        self.done, self.history = Progress(**about["progress"]), about["history"]
        self._plateau_rates = about["rates"]
        self._write_history()
        self.report(f"going on after epoch {self.done.epoch}, from {self.folder / STATE}")


def _cosine(share: float) -> float:
    """From 1 to 0, slowly at both ends, as ``share`` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * share))
