"""Find the images of one run that lie on the manifold of the held-out images of their class."""

import argparse
import sys
from pathlib import Path

from depthbias.measures.embedding_files import check_alike, read_embedded, read_real
from depthbias.measures.manifolds import Manifold, write_manifold
from depthbias.system.errors import command
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import lease


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--real", type=Path, required=True, help="embedded real images (.npz)")
    add("--samples", type=Path, required=True, help="generated images (.npz)")
    add("--embedded", type=Path, required=True, help="the same, embedded (.npz)")
    add("--embedding", required=True, help="what distances are measured in, like: pixels")
    add("--k", type=int, required=True, help="nearest neighbour that a ball reaches to")
    add("--study", required=True, help="name of the study")
    add("--threads", type=int, default=1, help="CPU threads")
    add("--output", type=Path, required=True, help="archive to write (.npz)")
    return parser.parse_args()


def main() -> None:
    args = parse()
    check_writable(args.output)
    real, model = read_real(args.real), read_embedded(args.embedded, args.study)
    check_alike(real, [model])
    with lease() as leased:
        import torch

        from depthbias.measures.neighbor_sets import of_run, read_embedded_samples, real_vectors
        from depthbias.measures.quality import on_manifold
        from depthbias.system.files import map_npz

        print(f"device: {leased}", file=sys.stderr)
        torch.set_num_threads(args.threads)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        generated = of_run(args.embedding, read_embedded_samples(args.samples, model), model)
        heldout = real_vectors(
            args.embedding, map_npz(args.images, "images"), real, real.rows[real.heldout]
        )
        accepted, acceptance = on_manifold(
            (generated, model.labels),
            (heldout, real.heldout_labels),
            real.classes,
            args.k,
            real.metric(args.embedding),
            device,
        )
    noise = model.run, model.noise_seed, model.indices
    write_manifold(
        Manifold(args.output, *noise, accepted, acceptance, args.k, args.embedding, real.classes)
    )


if __name__ == "__main__":
    command(main)
