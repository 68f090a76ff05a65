"""Training a captioning model: it keeps the best checkpoint, stops early, and resumes exactly after it was killed.

    trainer = Trainer(CaptionModel(decoder), vocabulary, train, dev, TrainingSettings(epochs=20), folder, metadata)
    trainer.run()

``folder`` then holds ``captioner.safetensors`` (the weights of the best epoch, with everything needed to use them),
``training.safetensors`` (everything needed to resume) and ``history.csv``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from filelock import FileLock, Timeout
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from captionlab.captioning.caption_dataset import CaptionDataset, batches, images_per_batch
from captionlab.captioning.evaluation import CaptionModel, Scores, evaluate_generation, evaluate_teacher_forcing
from captionlab.captioning.loss import attention_penalty
from captionlab.captioning.optimization import best_epoch, clip_grad_norm
from captionlab.captioning.resuming import STATE, TrainingProgress, restore_training, save_training
from captionlab.captioning.sampling import sampling_probability
from captionlab.captioning.self_critical import self_critical_loss
from captionlab.captioning.settings import TrainingSettings
from captionlab.captioning.vocabulary import END, Vocabulary
from captionlab.common.checkpoints import save_checkpoint
from captionlab.common.logs import logger
from captionlab.common.progress import progress_bar

BEST = "captioner.safetensors"


class Trainer:
    """Trains a model: the decoder, and the encoder's last blocks if they are fine-tuned.

    Attributes:
        history: one row per epoch.
        done: how far the training has come.
    """

    def __init__(
        self,
        model: CaptionModel,
        vocabulary: Vocabulary,
        train: CaptionDataset,
        dev: CaptionDataset,
        settings: TrainingSettings,
        folder: Path,
        metadata: dict[str, Any],
        *,
        progress: bool = True,
        tensorboard: bool = False,
    ) -> None:
        """Prepare the training, or resume the one in the folder.

        Args:
            model: with initial weights.
            vocabulary: of the captions.
            train, dev: the training split, and the split on which epochs are compared.
            settings: of the training.
            folder: for checkpoints and history.
            metadata: JSON values kept with the weights: vocabulary, encoder, preprocessing.
            progress: show the progress of each epoch.
            tensorboard: also write TensorBoard's files into the folder.

        Raises:
            ValueError: if the folder holds a run with other settings, or an image's captions do not fit into a batch.
        """
        self.vocabulary, self.train_set, self.dev_set = vocabulary, train, dev
        self.settings, self.folder, self.metadata = settings, folder, metadata
        self.progress, self.tensorboard = progress, tensorboard
        self.images_per_batch = images_per_batch(train, settings.batch_size, settings.captions_per_image)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device)
        self.ema = self._make_ema() if settings.ema_decay else None
        self.optimizer = torch.optim.Adam(self._parameter_groups())
        self.history: list[dict[str, Any]] = []
        self.done = TrainingProgress()
        torch.manual_seed(settings.seed)
        self.generator = torch.Generator().manual_seed(settings.seed)  # of scheduled sampling and sampled captions
        self.base_lrs = [group["lr"] for group in self.optimizer.param_groups]
        if (folder / STATE).is_file():
            restore_training(self)

    def _make_ema(self) -> AveragedModel:
        return AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(self.settings.ema_decay), use_buffers=True)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        lrs = {"decoder": self.settings.lr, "encoder": self.settings.encoder_lr}
        groups = []
        for name, module in self.model.named_children():
            trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
            if trained:
                groups.append({"params": trained, "lr": lrs[name]})
        return groups

    # --- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> list[dict[str, Any]]:
        """Train until one of the limits is reached; returns the history, one row per epoch.

        Raises:
            ValueError: if another process is training in the folder.
            FloatingPointError: if the loss or the weights are no longer finite; the epochs before are kept.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "lock", timeout=0):
                reason = self._train_epochs()
        except Timeout as error:
            raise ValueError(
                f"another process is training in {self.folder}: wait for it, or give another folder"
            ) from error
        logger.info("training ended: %s; best epoch %d (%s)", reason, self.done.best_epoch, self.folder / BEST)
        return self.history

    def _train_epochs(self) -> str:
        while not (reason := self._why_ended()):
            began = time.monotonic()
            trained = {"train_reward" if self._uses_rewards() else "train_loss": self._epoch()}
            self.done.seconds += time.monotonic() - began
            self.done.epoch += 1
            self._finish_epoch(trained)
            save_training(self)
        return reason

    def _why_ended(self) -> str:
        """Why the training has ended; empty if it has not."""
        settings, done = self.settings, self.done
        if done.epoch >= settings.epochs:
            return f"all {settings.epochs} epochs are done"
        if done.epoch - done.best_epoch >= settings.patience:
            return f"{settings.monitor} has not improved for {settings.patience} epochs"
        if settings.max_minutes and done.seconds >= 60 * settings.max_minutes:
            return f"the limit of {settings.max_minutes:g} minutes is reached"
        return ""

    def _epoch(self) -> float:
        """Train on all images once; returns the mean loss per word without the penalty, or the mean reward."""
        self.model.train()
        settings, rewards, total, count = self.settings, self._uses_rewards(), 0.0, 0
        steps = -(-len(self.train_set) // self.images_per_batch)
        order = batches(
            self.train_set,
            settings.batch_size,
            settings.captions_per_image,
            seed=settings.seed,
            epoch=self.done.epoch,
        )
        title = f"epoch {self.done.epoch + 1}/{settings.epochs}"
        with progress_bar(title, steps, unit="batches", progress=self.progress, log_ends=False) as bar:
            for step, batch in enumerate(order):
                self._set_lrs(step, steps)
                grids = self.train_set.grids(batch.images, batch.variants)
                try:
                    if rewards:
                        value, number = self.reward_step(grids, self.train_set.token_ids[batch.images])
                    else:
                        value, number = self.step(grids, batch.token_ids)
                except FloatingPointError as error:
                    raise FloatingPointError(
                        f"in epoch {self.done.epoch + 1} (batch {step + 1} of {steps}) {error}: "
                        f"{self._why_not_finite(grids)}"
                    ) from error
                total, count = total + value * number, count + number
                bar.set_postfix(**{"reward" if rewards else "loss": f"{total / count:.3f}"})
                bar.advance()
        return total / count

    def step(self, grids: Sequence[Tensor], token_ids: Tensor) -> tuple[float, int]:
        """Update the weights once with teacher forcing or scheduled sampling.

        Args:
            grids: the output of the frozen part of the encoder, (images, height, width, channels) for each input size.
            token_ids: (images, captions, length), int64.

        Returns:
            The mean cross-entropy per word in nats before the update, and the number of words.
        """
        settings = self.settings
        sampling_prob = sampling_probability(self.done.epoch, settings.sampling_prob_growth, settings.max_sampling_prob)
        with self._autocast():
            features = self.model.features(grids)
            output = self.model.decoder(features, token_ids.to(self.device), sampling_prob, self.generator)
        logits = output.logits.float()
        # Without smoothing this is caption_loss; the output has no padding, so there is nothing to leave out.
        loss = F.cross_entropy(logits, output.targets, label_smoothing=settings.label_smoothing)
        words = F.cross_entropy(logits.detach(), output.targets) if settings.label_smoothing else loss.detach()
        if settings.attention_reg:
            penalty = attention_penalty(output.alphas.float(), settings.attention_reg_reduction)
            loss = loss + settings.attention_reg * penalty
        self._update(loss)
        return words.item(), len(logits)

    def reward_step(self, grids: Sequence[Tensor], token_ids: Tensor) -> tuple[float, int]:
        """Update the weights once with captions that the model samples: :mod:`captionlab.captioning.self_critical`.

        Args:
            grids: as for :meth:`step`.
            token_ids: of all captions of the images, with which the samples are compared.

        Returns:
            The mean reward of the captions sampled before the update, and their number.
        """
        references = [
            [[token_id for token_id in caption if token_id > END] for caption in each if any(caption)]
            for each in token_ids.tolist()
        ]
        num_samples = self.settings.num_samples
        with self._autocast():
            features = self.model.features(grids)
            loss, reward = self_critical_loss(self.model.decoder, features, references, num_samples, self.generator)
        self._update(loss)
        return reward, len(token_ids) * num_samples

    def _uses_rewards(self) -> bool:
        """Whether this epoch is one of the last ones, which are trained on rewards."""
        return self.done.epoch >= self.settings.epochs - self.settings.reward_epochs

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        trained = (parameter for group in self.optimizer.param_groups for parameter in group["params"])
        norm = clip_grad_norm(trained, self.settings.max_grad_norm)
        if not math.isfinite(norm):
            raise FloatingPointError(f"the loss is {loss.item():g} and the norm of its gradient {norm:g}")
        self.optimizer.step()
        if self.ema:
            self.ema.update_parameters(self.model)

    def _why_not_finite(self, grids: Sequence[Tensor] = ()) -> str:
        """The probable cause of numbers that are not finite, and what to do."""
        if not all(grid.isfinite().all() for grid in grids):
            cause = "the features of its images contain NaN or infinity; give other weights of the encoder"
        else:
            finite = all(parameter.isfinite().all() for parameter in self.model.parameters())
            cause = "" if finite else "the weights are no longer finite numbers; "
            cause += f"give a lower lr than {self.settings.lr:g}"
            cause += f" or encoder_lr than {self.settings.encoder_lr:g}" if self.model.encoder else ""
        if not self.done.best_epoch:
            return f"{cause}, and another folder"
        return (
            f"{cause}, and another folder. {self.folder} holds epoch {self.done.best_epoch}, the best before; a new "
            f"run may start from it: captionlab caption train NEW --init-from {self.folder}"
        )

    def _autocast(self) -> torch.autocast:
        precision = self.settings.precision
        mixed = precision == "bfloat16" or (precision == "auto" and self.device.type == "cuda")
        return torch.autocast(self.device.type, torch.bfloat16, enabled=mixed)

    def _set_lrs(self, step: int, steps: int) -> None:
        """Set the learning rates of the next update, the one with index ``step`` of the epoch's ``steps``."""
        settings, done = self.settings, self.done.epoch * steps + step
        before_rewards = (settings.epochs - settings.reward_epochs) * steps
        if self._uses_rewards():
            share = (done - before_rewards) / (settings.reward_epochs * steps)
            lrs = [settings.reward_lr * _cosine(share)] * len(self.base_lrs)
        else:
            factor = min(1.0, (done + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
            factor *= _cosine(done / before_rewards) if settings.schedule == "cosine" else 1.0
            lrs = [lr * factor for lr in self.base_lrs]
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr

    # --- after an epoch -----------------------------------------------------------------------------------------------

    def evaluated(self) -> CaptionModel:
        """The model that is evaluated and kept: the moving average of the weights if there is one."""
        return cast(CaptionModel, self.ema.module) if self.ema else self.model

    def _finish_epoch(self, trained: dict[str, float]) -> None:
        """Evaluate, keep the weights if they are the best, and reduce the learning rate on a plateau."""
        if not all(tensor.isfinite().all() for tensor in self.evaluated().state_dict().values()):
            raise FloatingPointError(f"after epoch {self.done.epoch} {self._why_not_finite()}")
        scores = self._evaluate()
        self.history.append(self._history_row(trained, scores))
        monitored = [row["dev_loss"] if self.settings.monitor == "loss" else -row["dev_bleu4"] for row in self.history]
        self.done.best_epoch = best_epoch(monitored)
        since_best = self.done.epoch - self.done.best_epoch
        if since_best == 0:
            metadata = {**self.metadata, "decoder": self.model.decoder.config()}
            save_checkpoint(self.folder / BEST, self.evaluated().state_dict(), metadata)
        elif self.settings.schedule == "plateau" and since_best % self.settings.lr_patience == 0:
            self.base_lrs = [lr * self.settings.lr_factor for lr in self.base_lrs]
        self._report(trained, scores, improved=since_best == 0)

    def _evaluate(self) -> Scores:
        model, settings = self.evaluated(), self.settings
        forced = evaluate_teacher_forcing(model, self.dev_set)
        generated = evaluate_generation(
            model,
            self.vocabulary,
            self.dev_set,
            settings.beams,
            settings.length_penalty,
            progress=self.progress,
        )
        return replace(forced, bleu=generated.bleu)

    def _history_row(self, trained: dict[str, float], scores: Scores) -> dict[str, Any]:
        return {
            "epoch": self.done.epoch,
            "train_loss": None,
            "train_reward": None,
            **trained,
            "dev_loss": scores.loss,
            "dev_top5": scores.top5,
            **{f"dev_bleu{n}": value for n, value in enumerate(scores.bleu, start=1)},
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": round(self.done.seconds, 1),
        }

    def _report(self, trained: dict[str, float], scores: Scores, improved: bool) -> None:
        logger.info(
            "epoch %3d  %s  dev loss %.3f  top-5 %.3f  BLEU-4 %.4f  %.1f min%s",
            self.done.epoch,
            "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in trained.items()),
            scores.loss,
            scores.top5,
            scores.bleu[3],
            self.done.seconds / 60,
            "  best so far" if improved else "",
        )
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            with SummaryWriter(str(self.folder)) as writer:
                for name, value in self.history[-1].items():
                    if value is not None:
                        writer.add_scalar(name, value, self.done.epoch)


def _cosine(share: float) -> float:
    """From 1 to 0 along half a cosine, as ``share`` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * share))
