"""Does a deeper diffusion model amplify the bias of its data, or leak the data itself?"""

from depthbias import _torchvision

_torchvision.install()
