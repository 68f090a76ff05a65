"""Find the bug: the initial state; and one step of the recurrent cell. Probes and misconceptions."""

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
    starter="both_from_one_layer",
)
def probe_initial_state(InitialState, rng):
    positions, encoder_dim, decoder_dim = draw_different(rng, 3, 8, 3)
    initial = draw_weights(rng, InitialState(4, 5), scale=1.5)
    h0, c0 = run(initial, draw_tensor(rng, 2, 4, 4, mean=0.5))
    yield "2 images, 4 positions, 4 channels: h0", h0
    yield "2 images, 4 positions, 4 channels: c0", c0
    initial = draw_weights(rng, InitialState(encoder_dim=encoder_dim, decoder_dim=decoder_dim), scale=1.5)
    batch = draw(rng, 2, 4)
    h0, c0 = run(initial, draw_tensor(rng, batch, positions, encoder_dim, mean=0.5))
    label = f"{batch} images, {positions} positions, encoder_dim {encoder_dim}, decoder_dim {decoder_dim}: "
    yield label + "h0", h0
    yield label + "c0", c0


STATES = "self.init_h(mean), self.init_c(mean)"  # in the reference

lab.misconceptions(
    "InitialState",
    both_from_one_layer=(
        "This is the code you were given. Which layer does each of the two states come from? One of the layers is "
        "never used, so it never learns.",
        {
            f"return {STATES}": "h0 = self.init_h(mean)\n        c0 = self.init_h(mean)\n        return h0, c0",
        },
    ),
    swaps_the_two=(
        "The two states are swapped: return h0 first, then c0.",
        {STATES: "self.init_c(mean), self.init_h(mean)"},
    ),
    sums_the_positions=(
        "You add up the features of all positions. With their mean, the state does not grow with the size of the grid.",
        {"features.mean(dim=1)": "features.sum(dim=1)"},
    ),
    averages_the_channels=(
        "You average over the channels, which leaves one number per position. Average over the positions (axis 1).",
        {"features.mean(dim=1)": "features.mean(dim=2)"},
    ),
    takes_the_largest=(
        "You take the maximum of each channel. Take the mean over the positions.",
        {"features.mean(dim=1)": "features.amax(dim=1)"},
    ),
    squashes_the_states=(
        "There is a tanh after your layers. Some code has one; here the states are the outputs of the layers.",
        {STATES: "torch.tanh(self.init_h(mean)), torch.tanh(self.init_c(mean))"},
    ),
    takes_the_corner=(
        "You only use the first position, the upper left corner. Take the mean over all of them.",
        {"features.mean(dim=1)": "features[:, 0]"},
    ),
)


@lab.exercise(
    "captionlab.captioning.decoder:decoder_step", points=2, minutes=15, difficulty=2, importance=5, rtol=1e-3, atol=1e-5
)
def probe_decoder_step(decoder_step, rng):
    decoder_step = on_copies(decoder_step)
    embed_dim, encoder_dim, decoder_dim = draw_different(rng, 3, 8, 3)
    batch = draw(rng, 2, 4)

    def cases(family, states):
        name = family.__name__
        with torch_seed(0):
            cell = draw_weights(rng, family(embed_dim + encoder_dim, decoder_dim), scale=1.5)
        embedding, context = draw_tensor(rng, batch, embed_dim), draw_tensor(rng, batch, encoder_dim)
        state = tuple(draw_tensor(rng, batch, decoder_dim) for _ in range(states))
        with torch.no_grad():
            output, new = decoder_step(cell, embedding, context, state)
        yield f"{name}, {batch} captions: the output", output
        yield f"{name}: whether the new state is a tuple, and its tensors", [isinstance(new, tuple), *list(new)]
        ones = torch.ones(batch, embed_dim)
        with torch.no_grad():
            output, new = decoder_step(cell=cell, embedding=ones, context=context, state=new)
        yield f"{name}, a second step: the output and the state", [output, *list(new)]

    yield from cases(nn.LSTMCell, 2)
    yield from cases(nn.GRUCell, 1)
    yield from cases(nn.RNNCell, 1)


@lab.misconception(
    "decoder_step",
    hint="The LSTM is right. A GRU has no cell state: it takes a single tensor, not two, and returns a single tensor, "
    "which cannot be unpacked into h and c.",
)
def two_states_for_every_cell(cell, embedding, context, state):
    if not isinstance(cell, nn.LSTMCell):
        state = (state[0], torch.zeros_like(state[0]))
    h, c = cell(torch.cat([embedding, context], dim=1), state)
    return h, (h, c)


lab.misconceptions(
    "decoder_step",
    unpacks_every_state=(
        "The LSTM is right. The state of a GRU or a plain RNN is a tuple with one tensor, (h,), which cannot be "
        "unpacked into h and c: check the type of the cell first.",
        {"inputs = ": "h, c = state\n    inputs = "},
    ),
    context_before_embedding=(
        "Your context comes before the embedding. The weights of a trained cell expect the order [embedding, context].",
        {"[embedding, context]": "[context, embedding]"},
    ),
    no_tuple_for_one_state=(
        "Your new state of a GRU or RNN is a bare tensor. The code around it expects a tuple: return (h,), with the "
        "comma.",
        {"state[0])": "state[0] if isinstance(state, tuple) else state)", "(h,)": "h"},
    ),
    predicts_from_the_cell=(
        "For an LSTM you return the cell state c as the output. Words are predicted from the hidden state h.",
        {"return h, (h, c)": "return c, (h, c)"},
    ),
    returns_the_old_state=(
        "The state you return is the old one: the decoder would forget each word at once.",
        {"return h, (h, c)": "return h, state", "return h, (h,)": "return h, state"},
    ),
    starts_from_zeros=(
        "You call the cell without a state, so it starts from zeros each time and remembers nothing.",
        {"cell(inputs, state)": "cell(inputs)", "cell(inputs, state[0])": "cell(inputs)"},
    ),
    swaps_h_and_c=(
        "h and c of the LSTM are swapped in the new state; nn.LSTMCell takes and returns them as (h, c).",
        {"return h, (h, c)": "return h, (c, h)"},
    ),
)
