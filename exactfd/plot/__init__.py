"""Pictures of complexes, with matplotlib (``pip install 'exactfd[plot]'``).

What is drawn is exact (:mod:`exactfd.plot.scene`); coordinates are rounded for display only.
"""

from exactfd.plot.figure import check_suffix, draw, plot_complex, require_matplotlib, save_picture
from exactfd.plot.scene import Region, Scene, Wall, make_scene

__all__ = [
    "plot_complex",
    "save_picture",
    "make_scene",
    "draw",
    "Scene",
    "Region",
    "Wall",
    "check_suffix",
    "require_matplotlib",
]
