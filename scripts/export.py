"""Export a trained model as a folder that diffusers opens: DDPMPipeline.from_pretrained(FOLDER)."""

from depthbias.system.arguments import MODEL, arguments, file
from depthbias.system.errors import command


def main() -> None:
    args = arguments(__doc__, *MODEL, file("--output", "folder to write"))

    from depthbias.diffusion.checkpoints import export_diffusers, load_model

    export_diffusers(*load_model(args.model, args.meta), args.output)


if __name__ == "__main__":
    command(main)
