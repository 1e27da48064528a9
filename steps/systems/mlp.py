"""A network of one hidden layer on fixed vectors, with scikit-learn's methods."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

INPUT_DROPOUT, DROPOUT = 0.2, 0.5  # shares of the vector's values, and of hidden units, left out at each step
CLIP = 4.0  # deviations: a standardised value beyond them counts as so many
SMOOTHING = 0.05  # of each target, spread over the classes


class MLP:
    """Standardised vector, clipped → `hidden` rectified units → classes; Adam with a decay of weights and biases
    of 1/C (AdamW: a step takes lr/C of them away), for a number of epochs."""

    def __init__(self, hidden: int, C: float, epochs: int, batch: int, lr: float, seed: int) -> None:
        self.hidden, self.C, self.epochs, self.batch, self.lr, self.seed = hidden, C, epochs, batch, lr, seed

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> MLP:
        """x: (N, size) standardised; y: (N,) class indices; sample_weight: (N,) what each counts."""
        self.classes_, targets = np.unique(y, return_inverse=True)
        weights = torch.ones(len(x)) if sample_weight is None else torch.from_numpy(sample_weight).float()
        vectors, labels = clipped(x), torch.from_numpy(targets)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = nn.Sequential(
                nn.Dropout(INPUT_DROPOUT),
                nn.Linear(x.shape[1], self.hidden),
                nn.ReLU(),
                nn.Dropout(DROPOUT),
                nn.Linear(self.hidden, len(self.classes_)),
            )
            optimiser = torch.optim.AdamW(self.network.parameters(), self.lr, weight_decay=1 / self.C)
            for _ in range(self.epochs):
                for index in torch.randperm(len(x)).split(self.batch):
                    losses = nn.functional.cross_entropy(
                        self.network(vectors[index]), labels[index], reduction="none", label_smoothing=SMOOTHING
                    )
                    optimiser.zero_grad()
                    (losses * weights[index]).mean().backward()
                    optimiser.step()
        self.network.eval()
        return self

    @torch.inference_mode()
    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """(N, classes)."""
        return self.network(clipped(x)).double().softmax(dim=1).numpy()

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights (in, out) and biases (out,) of each layer."""
        linear = [module for module in self.network if isinstance(module, nn.Linear)]
        return [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in linear]


def clipped(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.clip(x, -CLIP, CLIP).astype(np.float32))
