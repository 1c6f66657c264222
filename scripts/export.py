"""Export a trained model as a folder that diffusers opens: DDPMPipeline.from_pretrained(FOLDER)."""

import argparse
from pathlib import Path

from depthbias.system.errors import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="weights (.safetensors)")
    parser.add_argument("--meta", type=Path, required=True, help="their description (.json)")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    args = parser.parse_args()

    from depthbias.diffusion.checkpoints import export_diffusers, load_model

    export_diffusers(*load_model(args.model, args.meta), args.output)


if __name__ == "__main__":
    command(main)
