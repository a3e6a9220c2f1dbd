"""The demonstration: which source, which model, which layer, on real digits.

Small networks are pretrained on tasks that are more and less related to a target,
ranked for it from few labelled samples, and then all of them are tried, so that the
ranking can be seen to be right or wrong.
"""

from sklearn_transrate.demo._experiment import Agreement, DemoResult, run_demo
from sklearn_transrate.demo._networks import (
    NetworkSpec,
    network_specs,
    pretrain_network,
)
from sklearn_transrate.demo._picture import check_picture, draw_picture, save_picture
from sklearn_transrate.demo._report import (
    json_report,
    markdown_report,
    plain_report,
)

__all__ = [
    "Agreement",
    "DemoResult",
    "NetworkSpec",
    "check_picture",
    "draw_picture",
    "json_report",
    "markdown_report",
    "network_specs",
    "plain_report",
    "pretrain_network",
    "run_demo",
    "save_picture",
]
