"""Pictures of complexes: files by matplotlib (``pip install 'exactfd[plot]'``), pages by plotly (``exactfd[html]``).

What is drawn is exact (:mod:`exactfd.plot.scene`); coordinates are rounded for display only.
"""

from exactfd.plot.display import PICTURES, check_suffix
from exactfd.plot.figure import draw, plot_complex, require_matplotlib, save_picture
from exactfd.plot.histogram import draw_histogram, facets_per_polytope
from exactfd.plot.interactive import interactive, interactive_histogram, require_plotly, save_html
from exactfd.plot.scene import COLORS, Region, Scene, Wall, make_scene

__all__ = [
    "plot_complex",
    "save_picture",
    "make_scene",
    "draw",
    "draw_histogram",
    "facets_per_polytope",
    "interactive",
    "interactive_histogram",
    "save_html",
    "Scene",
    "Region",
    "Wall",
    "COLORS",
    "PICTURES",
    "check_suffix",
    "require_matplotlib",
    "require_plotly",
]
