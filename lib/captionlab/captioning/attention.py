"""Where to look before the next word: soft attention over the positions of a grid, and the gate behind it.

Source: Xu et al. 2015, "Show, Attend and Tell: Neural Image Caption Generation with Visual Attention", section 3.1.2
and 4.2; Bahdanau, Cho and Bengio 2015, "Neural Machine Translation by Jointly Learning to Align and Translate".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SoftAttention(nn.Module):
    """Soft attention: a weighted mean over the positions of a grid, the weights depending on the decoder's state.

    With a_i the features at position i and h the state, each position gets a score and the scores become weights::

        e_i = w . relu(W_a a_i + W_h h)      alpha = softmax over the positions of e      context = sum_i alpha_i a_i

    Attributes:
        from_positions: W_a, ``nn.Linear(channels, size)``.
        from_state: W_h, ``nn.Linear(hidden, size)``.
        score: w, ``nn.Linear(size, 1)``.

    Example::

        attention = SoftAttention(channels=512, hidden=256, size=128)
        context, alpha = attention(torch.rand(2, 49, 512), torch.rand(2, 256))
        context.shape, alpha.shape  # (2, 512) and (2, 49)
        alpha.sum(dim=1)  # 1 for each image

    Source: Xu et al. 2015, equations 4 to 6 and 13.
    """

    def __init__(self, channels, hidden, size):
        super().__init__()
        self.from_positions = nn.Linear(channels, size)
        self.from_state = nn.Linear(hidden, size)
        self.score = nn.Linear(size, 1)

    def forward(self, positions, state):
        """Look once.

        Args:
            positions: ``(batch, positions, channels)``: the grid's features, a row a position.
            state: ``(batch, hidden)``: the decoder's state before the word.

        Returns:
            ``(context, alpha)``: the mean of the features with the weights ``(batch, channels)``, and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        seen = torch.relu(self.from_positions(positions) + self.from_state(state).unsqueeze(1))
        alpha = torch.softmax(self.score(seen).squeeze(2), dim=1)
        context = (alpha.unsqueeze(2) * positions).sum(dim=1)
        return context, alpha


class AdditiveAttention(nn.Module):
    """Bahdanau's attention: as :class:`SoftAttention`, with tanh in the place of relu.

    With a_i the features at position i and h the state::

        e_i = w . tanh(W_a a_i + W_h h)      alpha = softmax over the positions of e      context = sum_i alpha_i a_i

    Attributes:
        from_positions: W_a, ``nn.Linear(channels, size)``.
        from_state: W_h, ``nn.Linear(hidden, size)``.
        score: w, ``nn.Linear(size, 1)``.

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """

    def __init__(self, channels, hidden, size):
        super().__init__()
        self.from_positions = nn.Linear(channels, size)
        self.from_state = nn.Linear(hidden, size)
        self.score = nn.Linear(size, 1)

    def forward(self, positions, state):
        """Look once.

        Args:
            positions: ``(batch, positions, channels)``: the grid's features, a row a position.
            state: ``(batch, hidden)``: the decoder's state before the word.

        Returns:
            ``(context, alpha)``: the mean of the features with the weights ``(batch, channels)``, and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        seen = torch.tanh(self.from_positions(positions) + self.from_state(state).unsqueeze(1))
        alpha = torch.softmax(self.score(seen).squeeze(2), dim=1)
        context = (alpha.unsqueeze(2) * positions).sum(dim=1)
        return context, alpha


class Gate(nn.Module):
    """The gate behind the attention: how much of what is seen counts for the next word, channel by channel.

    Some words need the image ("dog"), others follow from the words before ("of"). The gate is
    ``z = sigmoid(W h) * context``, its weights W learnt like all others.

    Attributes:
        linear: ``nn.Linear(hidden, channels)``.

    Example::

        gate = Gate(hidden=256, channels=512)
        gate(torch.rand(2, 512), torch.rand(2, 256)).shape  # (2, 512)

    Source: Xu et al. 2015, section 4.2.1, there one number for all channels; one a channel in well-known PyTorch code.
    """

    def __init__(self, hidden, channels):
        super().__init__()
        self.linear = nn.Linear(hidden, channels)

    def forward(self, context, state):
        """Weaken what is seen.

        Args:
            context: ``(batch, channels)``: what the attention gives.
            state: ``(batch, hidden)``: the decoder's state before the word.

        Returns:
            ``(batch, channels)``.
        """
        return torch.sigmoid(self.linear(state)) * context


FORMS: dict[str, type[nn.Module]] = {"relu": SoftAttention, "tanh": AdditiveAttention}
ACTIVATIONS = {SoftAttention: torch.relu_, AdditiveAttention: torch.tanh_}  # in place: it is the largest tensor of all


def batched_attention(
    attention: nn.Module, positions: Tensor, projected: Tensor, states: Tensor
) -> tuple[Tensor, Tensor]:
    """What `attention` gives for several captions of each image at once; the same numbers in far less time.

    The projection W_a a_i does not depend on the word, so it comes in computed: once an image, not once a word. And
    the features are not copied for each caption of an image, as a batch of single captions would have to.

    Args:
        attention: a :class:`SoftAttention` or :class:`AdditiveAttention`.
        positions: (images, positions, channels).
        projected: (images, positions, size): ``attention.from_positions(positions)``.
        states: (images, captions, hidden).

    Returns:
        context (images, captions, channels) and alpha (images, captions, positions).
    """
    seen = ACTIVATIONS[type(attention)](projected.unsqueeze(1) + attention.from_state(states).unsqueeze(2))
    alpha = torch.softmax(attention.score(seen).squeeze(3), dim=2)
    return alpha @ positions, alpha
