"""Write a hand-made models.json: the starting point from which priors are trained.

    python tools/init_models.py > src/wyner/reference/models.json

Layout of one model: sizes S, F, N, M, the grid count, KDEF per group, and flat lists `mean` (Q14) and
`scale` (1/16 octaves above 2^-14) in the parameter order of docs/spec/overfit.md, section 5.
"""

import json

import numpy as np

GRIDS = 7
KDEF = [7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8]
BICUBIC = [-0.0234375, 0.2265625, 0.8671875, -0.0703125]


def model(S: int, F: int, N: int, M: int, seed: int) -> dict:
    """One hand-made model with ARM inputs S + F, ARM width N and synthesis width M."""
    rng = np.random.default_rng(seed)
    A, G = S + F, GRIDS

    def dense(rows: int, cols: int, gain: float) -> np.ndarray:
        return rng.normal(0, gain / np.sqrt(cols), (rows, cols))

    wo = dense(2, N, 0.3)
    wl = np.zeros((2, A))
    wl[0, :4] = [0.4, 0.4, -0.2, 0.1]
    ifc = np.zeros((G, F, 6))
    ifc[:] = dense(F, 6, 0.5)
    syn_wl = np.zeros((3, G))
    syn_wl[0] = 0.5
    syn_wl[1:] = rng.normal(0, 0.1, (2, G))
    pre = np.zeros((G, 4))
    pre[:, 0] = 1
    tensors = [
        dense(N, A, 1.0), np.zeros(N), dense(N, N, 1.4), np.zeros(N), wo, wl, np.array([0.0, 0.0]),
        ifc, np.zeros((G, F)), np.tile(BICUBIC, (G - 1, 1)), pre,
        dense(M, G, 1.0), np.zeros(M), dense(3, M, 0.3), syn_wl, np.array([8.0, 0, 0]),
        rng.normal(0, 0.05, (3, 3, 3, 3)), np.zeros(3), rng.normal(0, 0.05, (3, 3, 3, 3)), np.zeros(3),
    ]  # fmt: skip
    mean = np.concatenate([np.ravel(t) for t in tensors])
    return {
        "S": S, "F": F, "N": N, "M": M, "grids": G, "kdef": KDEF,
        "mean": np.rint(mean * 2**14).astype(int).tolist(),
        "scale": [16 * 11] * mean.size,
    }  # fmt: skip


def main() -> None:
    sizes = [(6, 2, 8, 8), (12, 4, 16, 16), (18, 6, 24, 32)]
    models = [model(*size, seed=i) for i, size in enumerate(sizes)]
    rows = ",\n".join(json.dumps(m, separators=(",", ":")) for m in models)
    print('{"models":[\n' + rows + "\n]}")


if __name__ == "__main__":
    main()
