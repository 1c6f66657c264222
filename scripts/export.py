"""Export a trained model as a folder that diffusers opens: DDPMPipeline.from_pretrained(FOLDER)."""

from depthbias.system.arguments import MODEL, Arguments, file, script


@script(*MODEL, file("--output", "folder to write"))
def main(args: Arguments) -> None:
    from depthbias.diffusion.checkpoints import export_diffusers, load_model

    export_diffusers(*load_model(args.model, args.meta), args.output)
