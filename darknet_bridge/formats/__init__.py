"""Darknet's files, one module each: `read_x` and `write_x`, strict, with messages that name file and line.

Reading never changes a file; writing goes through `atomic` (a temporary file, fsync, rename), so that a crash or a
full disk leaves the old content. Specification: docs/formats.md.
"""

from .atomic import atomic_file, write_bytes
from .cfg import Cfg, CfgEntry, CfgSection, format_cfg, parse_cfg, read_cfg, write_cfg
from .data_file import DataFile, read_data_file, resolve_path, write_data_file
from .image_list import read_image_list, write_image_list
from .labels import Label, LabelProblem, label_path, parse_labels, read_labels, write_labels
from .names import read_names, write_names
from .weights_header import WeightsHeader, read_weights_header
from .weights_layout import Coverage, coverage, cut_weights, layer_floats

__all__ = [
    "Cfg",
    "CfgEntry",
    "CfgSection",
    "Coverage",
    "DataFile",
    "Label",
    "LabelProblem",
    "WeightsHeader",
    "atomic_file",
    "coverage",
    "cut_weights",
    "format_cfg",
    "label_path",
    "layer_floats",
    "parse_cfg",
    "parse_labels",
    "read_cfg",
    "read_data_file",
    "read_image_list",
    "read_labels",
    "read_names",
    "read_weights_header",
    "resolve_path",
    "write_bytes",
    "write_cfg",
    "write_data_file",
    "write_image_list",
    "write_labels",
    "write_names",
]
