"""Packed batches for the golden models: several documents a row, made from one seed.

A row of T tokens holds documents one after another. For the token at column t:
  ids[t]             its token id
  document_start[t]  the column of the first token of its document
  positions[t]       t - document_start[t]: positions restart with each document
  targets[t]         the id that the model should predict there, -1 where there is none
  weights[t]         the weight of that target in the loss, 0 where there is none
The last token of a document has no target, except where the document is cut by the end of the row:
there the target is the token that would have come next.
"""

import numpy as np

BATCH = 3
TOKENS = 24
VOCAB = 97


def _next_id(generator, current):
    """One step of a chain that a tiny model can learn: mostly affine in the current id."""
    if generator.random() < 0.15:
        return int(generator.integers(VOCAB))
    return int((5 * current + 11) % VOCAB)


def _row_cuts(generator, row):
    """The first columns of the documents of one row."""
    if row == 1:
        return [0]  # one document fills the row
    count = int(generator.integers(2, 5))
    inner = generator.choice(np.arange(1, TOKENS - 1), size=count - 1, replace=False)
    cuts = [0, *sorted(int(c) for c in inner)]
    if row == 2 and TOKENS - 1 not in cuts:
        cuts.append(TOKENS - 1)  # a document of a single token
    return cuts


def make_batch(seed):
    """A dict of ids, positions, document_start, targets (int32 [B,T]) and weights (f32 [B,T])."""
    generator = np.random.default_rng(seed)
    shape = (BATCH, TOKENS)
    batch = {
        "ids": np.zeros(shape, np.int32),
        "positions": np.zeros(shape, np.int32),
        "document_start": np.zeros(shape, np.int32),
        "targets": np.full(shape, -1, np.int32),
        "weights": np.zeros(shape, np.float32),
    }
    for row in range(BATCH):
        cuts = _row_cuts(generator, row)
        for start, end in zip(cuts, [*cuts[1:], TOKENS]):
            _fill_document(generator, batch, row, (start, end))
    return batch


def _fill_document(generator, batch, row, span):
    start, end = span
    cut_by_row = end == TOKENS and row == 1
    chain = [int(generator.integers(VOCAB))]
    while len(chain) < end - start + 1:
        chain.append(_next_id(generator, chain[-1]))
    for t in range(start, end):
        batch["ids"][row, t] = chain[t - start]
        batch["positions"][row, t] = t - start
        batch["document_start"][row, t] = start
        if t + 1 < end or cut_by_row:
            batch["targets"][row, t] = chain[t - start + 1]
            batch["weights"][row, t] = float(generator.choice([0.0, 0.5, 1.0], p=[0.1, 0.2, 0.7]))


def additive_mask(document_start, dtype):
    """[B,1,T,T]: 0 where query t may see key s (same document, s <= t), else the lowest number."""
    import torch

    start = torch.as_tensor(document_start).long()
    column = torch.arange(start.shape[1])
    causal = column[None, :, None] >= column[None, None, :]
    same = start[:, :, None] == start[:, None, :]
    mask = torch.zeros(start.shape[0], start.shape[1], start.shape[1], dtype=dtype)
    mask.masked_fill_(~(causal & same), torch.finfo(dtype).min)
    return mask[:, None]
