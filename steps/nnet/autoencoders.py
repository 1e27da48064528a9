"""Two auto-encoders over utterance embeddings that push style and speaker apart (the paper's [21])."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from .speaker_loss import reverse_gradient


class Autoencoder(nn.Module):
    """x (N, size) → z (N, latent) → x again."""

    def __init__(self, size: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, size), nn.ReLU(), nn.Linear(size, size))


class ParallelAutoencoders(nn.Module):
    """One auto-encoder for style, one for speaker; each latent space is what auxiliary classifiers see. One of them
    learns what its space shall hold, the other, behind a gradient reversal, what it shall not:

    L = Σ over both (reconstruction + CE(own attribute) + CE(other attribute, reversed)).
    """

    def __init__(self, size: int, latent: int, emotions: int, speakers: int) -> None:
        super().__init__()
        self.style, self.speaker = Autoencoder(size, latent), Autoencoder(size, latent)
        self.emotion_of_style, self.speaker_of_style = nn.Linear(latent, emotions), nn.Linear(latent, speakers)
        self.emotion_of_speaker, self.speaker_of_speaker = nn.Linear(latent, emotions), nn.Linear(latent, speakers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(z_style, z_speaker) of (N, size) embeddings, (N, latent) each."""
        return self.style.encoder(x), self.speaker.encoder(x)

    def loss(self, x: Tensor, y_e: Tensor, y_s: Tensor) -> Tensor:
        """L as above; y_e, y_s: (N,) emotion and speaker indices."""
        cross_entropy = nn.functional.cross_entropy
        z_style, z_speaker = self(x)
        reconstruction = mse_loss(self.style.decoder(z_style), x) + mse_loss(self.speaker.decoder(z_speaker), x)
        kept = cross_entropy(self.emotion_of_style(z_style), y_e) + cross_entropy(
            self.speaker_of_speaker(z_speaker), y_s
        )
        removed = cross_entropy(self.speaker_of_style(reverse_gradient(z_style)), y_s)
        removed = removed + cross_entropy(self.emotion_of_speaker(reverse_gradient(z_speaker)), y_e)
        return reconstruction + kept + removed
