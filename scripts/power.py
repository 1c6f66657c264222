"""Print the slope on depth that a design detects with 80 % power."""

import numpy as np

from depthbias.estimates.endpoints import detectable_slope
from depthbias.system.arguments import Arguments, WrongUsage, flag, positive, script


@script(
    flag("--depths", "of the architectures, like: 2 3 4", float, nargs="+"),
    flag("--seeds", "models of each depth", positive),
    flag("--spread", "standard deviation between the models of one depth", float),
)
def main(args: Arguments) -> None:
    depths = np.repeat(args.depths, args.seeds)
    if len(set(depths)) < 2 or len(depths) < 3 or not args.spread > 0:
        raise WrongUsage("give two depths, three models, and a spread above 0")
    slope = detectable_slope(depths, args.spread)
    print(f"{len(depths)} models detect a slope of {slope:.3g} a stage with 80 % power.")
