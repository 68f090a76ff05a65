"""Find the bug: the first state; and a step of the recurrent cell. Probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, draw_weights, on_copies, run, torch_seed
from captionlab.exercises.lab4_captioning.common import lab


@lab.exercise(
    "captionlab.captioning.decoder:InitialState",
    points=1,
    minutes=12,
    difficulty=2,
    importance=4,
    rtol=1e-3,
    atol=1e-5,
    starter="BothFromOneLayer",
)
def probe_initial_state(InitialState, rng):
    size, channels, hidden = draw_different(rng, 3, 8, 3)
    initial = draw_weights(rng, InitialState(4, 5), scale=1.5)
    hidden_state, cell_state = run(initial, draw_tensor(rng, 2, 4, 4, mean=0.5))
    yield "2 images, 4 positions, 4 channels: h0", hidden_state
    yield "2 images, 4 positions, 4 channels: c0", cell_state
    initial = draw_weights(rng, InitialState(channels=channels, hidden=hidden), scale=1.5)
    batch = draw(rng, 2, 4)
    hidden_state, cell_state = run(initial, draw_tensor(rng, batch, size, channels, mean=0.5))
    label = f"{batch} images, {size} positions, {channels} channels, a state of {hidden}: "
    yield label + "h0", hidden_state
    yield label + "c0", cell_state


class _InitialLayers(nn.Module):
    """The part of the class that students are given."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.hidden_layer = nn.Linear(channels, hidden)
        self.cell_layer = nn.Linear(channels, hidden)


@lab.misconception(
    "InitialState",
    hint="This is the code you were given. Which layer does each of the two states come from? One of the "
    "layers is never used, and never learns.",
)
class BothFromOneLayer(_InitialLayers):
    def forward(self, positions):
        mean = positions.mean(dim=1)
        hidden = self.hidden_layer(mean)
        cell = self.hidden_layer(mean)
        return hidden, cell


@lab.misconception("InitialState", hint="The two states are exchanged: h0 first, then c0.")
class ExchangesTheTwo(_InitialLayers):
    def forward(self, positions):
        mean = positions.mean(dim=1)
        return self.cell_layer(mean), self.hidden_layer(mean)


@lab.misconception(
    "InitialState",
    hint="The features of all positions are added up. With their mean the state does not grow with the size of"
    " the grid.",
)
class SumsThePositions(_InitialLayers):
    def forward(self, positions):
        total = positions.sum(dim=1)
        return self.hidden_layer(total), self.cell_layer(total)


@lab.misconception(
    "InitialState",
    hint="The mean runs over the channels and leaves one number a position. It should run over the positions (axis 1).",
)
class AveragesTheChannels(_InitialLayers):
    def forward(self, positions):
        mean = positions.mean(dim=2)
        return self.hidden_layer(mean), self.cell_layer(mean)


@lab.misconception(
    "InitialState", hint="You take the largest value of each channel. The mean over the positions is wanted."
)
class TakesTheLargest(_InitialLayers):
    def forward(self, positions):
        largest = positions.amax(dim=1)
        return self.hidden_layer(largest), self.cell_layer(largest)


@lab.misconception(
    "InitialState",
    hint="There is a tanh behind your layers. Some code has one; here the states are the layers' outputs as they are.",
)
class SquashesTheStates(_InitialLayers):
    def forward(self, positions):
        mean = positions.mean(dim=1)
        return torch.tanh(self.hidden_layer(mean)), torch.tanh(self.cell_layer(mean))


@lab.misconception(
    "InitialState",
    hint="You look at the first position only, the upper left corner. The mean over all of them is wanted.",
)
class LooksAtTheCorner(_InitialLayers):
    def forward(self, positions):
        return self.hidden_layer(positions[:, 0]), self.cell_layer(positions[:, 0])


@lab.exercise(
    "captionlab.captioning.decoder:decoder_step", points=2, minutes=15, difficulty=2, importance=5, rtol=1e-3, atol=1e-5
)
def probe_decoder_step(decoder_step, rng):
    decoder_step = on_copies(decoder_step)
    embedding, channels, hidden = draw_different(rng, 3, 8, 3)
    batch = draw(rng, 2, 4)

    def cases(family, states):
        name = family.__name__
        with torch_seed(0):
            cell = draw_weights(rng, family(embedding + channels, hidden), scale=1.5)
        word, context = draw_tensor(rng, batch, embedding), draw_tensor(rng, batch, channels)
        state = tuple(draw_tensor(rng, batch, hidden) for _ in range(states))
        with torch.no_grad():
            output, new = decoder_step(cell, word, context, state)
        yield f"{name}, {batch} captions: the output", output
        yield f"{name}: the new state", [isinstance(new, tuple), *list(new)]
        with torch.no_grad():
            output, new = decoder_step(cell=cell, word=context.new_ones(batch, embedding), context=context, state=new)
        yield f"{name}, a second step: the output and the state", [output, *list(new)]

    yield from cases(nn.LSTMCell, 2)
    yield from cases(nn.GRUCell, 1)
    yield from cases(nn.RNNCell, 1)


def _side_by_side(word, context):
    return torch.cat([word, context], dim=1)


@lab.misconception(
    "decoder_step",
    hint="The LSTM is right. A GRU has no cell: it is given a single state, not two, and gives back a single "
    "tensor, which cannot be taken apart into h and c.",
)
def two_states_for_every_cell(cell, word, context, state):
    seen = _side_by_side(word, context)
    if not isinstance(cell, nn.LSTMCell):
        state = (state[0], torch.zeros_like(state[0]))
    hidden, memory = cell(seen, state)
    return hidden, (hidden, memory)


@lab.misconception(
    "decoder_step",
    hint="The LSTM is right. The state of a GRU or a plain RNN is a tuple with one tensor, (h,), which cannot be taken "
    "apart into h and c: ask what kind of cell it is first.",
)
def takes_every_state_apart(cell, word, context, state):
    hidden, memory = state
    seen = _side_by_side(word, context)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen, (hidden, memory))
        return hidden, (hidden, memory)
    hidden = cell(seen, hidden)
    return hidden, (hidden,)


@lab.misconception(
    "decoder_step",
    hint="The context stands before the word. The weights of a trained cell know which input is which: [word, "
    "context].",
)
def context_before_word(cell, word, context, state):
    seen = torch.cat([context, word], dim=1)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen, state)
        return hidden, (hidden, memory)
    hidden = cell(seen, state[0])
    return hidden, (hidden,)


@lab.misconception(
    "decoder_step",
    hint="The new state of a GRU or RNN is a bare tensor. Everything around it expects a tuple: give (h,), "
    "with the comma.",
)
def no_tuple_for_one_state(cell, word, context, state):
    seen = _side_by_side(word, context)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen, state)
        return hidden, (hidden, memory)
    hidden = cell(seen, state[0] if isinstance(state, tuple) else state)
    return hidden, hidden


@lab.misconception(
    "decoder_step",
    hint="Of an LSTM you give the cell c as the output. Words are predicted from the hidden state h.",
)
def predicts_from_the_cell(cell, word, context, state):
    seen = _side_by_side(word, context)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen, state)
        return memory, (hidden, memory)
    hidden = cell(seen, state[0])
    return hidden, (hidden,)


@lab.misconception(
    "decoder_step",
    hint="The state you give back is the old one: the decoder would forget each word at once.",
)
def gives_the_old_state(cell, word, context, state):
    seen = _side_by_side(word, context)
    if isinstance(cell, nn.LSTMCell):
        return cell(seen, state)[0], state
    return cell(seen, state[0]), state


@lab.misconception(
    "decoder_step",
    hint="The cell is called without a state and begins with zeros each time, so that nothing is remembered.",
)
def begins_anew(cell, word, context, state):
    seen = _side_by_side(word, context)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen)
        return hidden, (hidden, memory)
    hidden = cell(seen)
    return hidden, (hidden,)


@lab.misconception(
    "decoder_step",
    hint="h and c of the LSTM are exchanged in the new state; nn.LSTMCell takes and gives them as (h, c).",
)
def exchanges_h_and_c(cell, word, context, state):
    seen = _side_by_side(word, context)
    if isinstance(cell, nn.LSTMCell):
        hidden, memory = cell(seen, state)
        return hidden, (memory, hidden)
    hidden = cell(seen, state[0])
    return hidden, (hidden,)
