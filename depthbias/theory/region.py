"""The region of an image that is edited, a rectangle of rows and columns. No torch."""

from collections.abc import Sequence

from depthbias.system.errors import UserError


def check_region(rows: Sequence[int], columns: Sequence[int], size: int) -> None:
    """UserError unless rows and columns, from and up to, are a part of an image of size x size."""
    for name, ends in (("rows", rows), ("columns", columns)):
        if len(ends) != 2 or not 0 <= ends[0] < ends[-1] <= size:
            shown = " to ".join(map(str, ends))
            raise UserError(
                f"{name} {shown}: a region needs a first and an end, the first below the end, "
                f"within 0 to {size}, the image"
            )
