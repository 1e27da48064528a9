"""A speaker classifier on the embedding: as a second task, or as an adversary (the paper's [20])."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .gradient_reversal import reverse_gradient


class SpeakerLoss(nn.Module):
    """CrossEntropy(FC(embedding), y_s). With `adversarial`, the FC learns to tell the speaker and the network that it
    cannot be told."""

    def __init__(self, size: int, speakers: int, adversarial: bool = False) -> None:
        super().__init__()
        self.fc = nn.Linear(size, speakers)
        self.adversarial = adversarial

    def forward(self, embedding: Tensor, y_s: Tensor) -> Tensor:
        """embedding: (N, size); y_s: (N,) class indices. Returns a scalar."""
        return cross_entropy(self.fc(reverse_gradient(embedding) if self.adversarial else embedding), y_s)
