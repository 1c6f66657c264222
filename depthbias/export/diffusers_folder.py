"""A trained model as a folder that diffusers opens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.objectives import BETA_END, BETA_START, STEPS
from depthbias.diffusion.schedules import RHO, SIGMA_MAX, SIGMA_MIN
from depthbias.system.errors import UserError, explain


def export_diffusers(module: Any, meta: Mapping[str, Any], folder: str | Path) -> None:
    """Write a folder whose unet/ opens as `UNet2DModel` and whose scheduler/ fits the objective.

    ddpm: DDPM's linear schedule with trailing timesteps; the folder opens as a `DDPMPipeline` or a
    `DDIMPipeline`. edm: an `EDMEulerScheduler`, for which diffusers has no unconditional pipeline.
    UserError for an architecture that is no U-Net.
    """
    if not get_architecture(meta["architecture"]).exportable:
        raise UserError(
            f"architecture {meta['architecture']}: diffusers has no unconditional pipeline for it; "
            "only models that are U-Nets can be exported"
        )
    try:
        if meta["objective"] == "ddpm":
            _save_ddpm(module, folder)
        else:
            _save_edm(module, meta["sigma_data"], folder)
    except OSError as error:
        raise explain(error, folder) from error


def _save_ddpm(module: Any, folder: str | Path) -> None:
    from diffusers.pipelines.ddpm.pipeline_ddpm import DDPMPipeline
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    scheduler = DDPMScheduler(
        num_train_timesteps=STEPS,
        beta_start=BETA_START,
        beta_end=BETA_END,
        beta_schedule="linear",
        prediction_type="epsilon",
        timestep_spacing="trailing",
    )
    DDPMPipeline(module, scheduler).save_pretrained(folder, safe_serialization=True)


def _save_edm(module: Any, sigma_data: float, folder: str | Path) -> None:
    from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler

    scheduler = EDMEulerScheduler(
        sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, sigma_data=sigma_data, rho=RHO
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    module.save_pretrained(Path(folder, "unet"), safe_serialization=True)
    scheduler.save_pretrained(Path(folder, "scheduler"))
