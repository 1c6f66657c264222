"""Let CUDA-linked torchvision wheels be imported beside a CPU-only torch.

The torchvision wheels of the package index are linked to CUDA. Beside a CPU-only torch their
operators never register and `import torchvision` (hence lpips, and diffusers where it finds
torchvision) raises "operator torchvision::nms does not exist". Declaring the schemas of the two
missing operators first is enough. The declaration happens at the moment torchvision is imported and
only if its own library cannot be loaded, so `import depthbias` costs nothing and a working
torchvision is left alone.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

_keep_alive: list[object] = []


def _declare_missing_operators(package: Path) -> None:
    import torch

    libraries = sorted(package.glob("_C.*"))
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        declared = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _keep_alive.append(declared)


class _BeforeTorchvision(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(fullname)
            if spec is not None and spec.origin:
                _declare_missing_operators(Path(spec.origin).parent)
            return spec
        return None


def install() -> None:
    """Watch for the first import of torchvision in this process."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTorchvision())
