"""Does a deeper diffusion model amplify the bias of its data, or leak the data itself?"""

from depthbias.system import torchvision_repair

torchvision_repair.install()
