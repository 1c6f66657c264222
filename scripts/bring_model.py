"""Bring a model of others: an unconditional UNet2DModel that diffusers opens, as one of a study."""

from depthbias.estimates.runs import RUN, keys_of
from depthbias.system.arguments import IMAGES, MADE_MODEL, Arguments, file, flag, positive, script
from depthbias.system.files import check_writable


@script(
    file("--diffusers", "folder that diffusers saved", default=None),
    file("--weights", ".safetensors or .bin", default=None),
    file("--unet", "config.json of the weights", default=None),
    file("--scheduler", "scheduler_config.json of the weights", default=None),
    flag("--size", "side of the images, or height and width", positive, nargs="+"),
    flag("--channels", "1 grey, 3 RGB", int, choices=[1, 3]),
    IMAGES,
    file("--subset", "the rows it was trained on (.json)"),
    RUN,
    *MADE_MODEL,
)
def main(args: Arguments) -> None:
    check_writable(args.model, args.meta)

    import torch

    from depthbias.data.subsets import read_subset
    from depthbias.diffusion.brought_files import Source, find_source
    from depthbias.diffusion.brought_models import describe_brought, read_model
    from depthbias.diffusion.checkpoints import save_model
    from depthbias.diffusion.objectives import measure_sigma_data

    source = (
        find_source(args.diffusers)
        if args.diffusers
        else Source(args.unet, args.scheduler, args.weights)
    )
    size = args.size if len(args.size) == 2 else args.size * 2
    model = read_model(source, size, args.channels)
    images = read_subset(args.subset).images(args.images)
    sigma_data = measure_sigma_data(torch.from_numpy(images))
    brought = args.diffusers or args.weights
    meta = describe_brought(model, keys_of(args.run), sigma_data, len(images), brought)
    save_model(model.network, meta, args.model, args.meta)
