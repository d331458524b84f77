"""Text for timing a training step where no real text is at hand: words by Zipf's law, one seed."""

import random


def write(path, size):
    """Writes about `size` bytes of sentences and paragraphs."""
    source = random.Random(11)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(source.choices(letters, range(26, 0, -1), k=source.randint(1, 9)))
             for _ in range(20000)]
    weights = [1 / (rank + 2) for rank in range(len(words))]
    written = 0
    with open(path, "w", encoding="utf-8") as file:
        while written < size:
            chosen = source.choices(words, weights, k=2000)
            lines = [" ".join(chosen[i : i + 12]).capitalize() + "." for i in range(0, 2000, 12)]
            written += file.write(" ".join(lines) + "\n\n")
