"""Make quality_fixture.json: two made-up sets of vectors, and what other programs measure of them.

pip install prdc==0.2 torch-fidelity==0.4.0
python tests/measures/make_quality_fixture.py
"""

import json
from pathlib import Path

import numpy as np
import torch
from prdc import compute_prdc

import depthbias  # noqa: F401  (lets torchvision be imported beside a CPU build of torch)

# isort: split
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

KS = (3, 5)


def main() -> None:
    rng = np.random.default_rng(0)
    real = np.round(rng.normal(size=(28, 4)), 3)
    generated = np.round(0.3 + 0.9 * rng.normal(size=(28, 4)), 3)
    both = torch.as_tensor(generated), torch.as_tensor(real)
    prdc, prc = {}, {}
    for k in KS:
        found = compute_prdc(real, generated, k)
        prdc[k] = {name: float(value) for name, value in found.items()}
        prc[k] = prc_features_to_metric(
            *both, prc_neighborhood=k, prc_batch_size=100, save_cpu_ram=False, verbose=False
        )
    # One subset of all images: nothing is drawn at random.
    kid = kid_features_to_metric(*both, kid_subsets=1, kid_subset_size=len(real), verbose=False)
    content = {"real": real.tolist(), "generated": generated.tolist(), "prdc": prdc}
    content |= {"torch_fidelity_prc": prc, "torch_fidelity_kid": kid}
    Path(__file__).with_name("quality_fixture.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
