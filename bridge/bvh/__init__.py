"""Motion capture in BVH files: read through bvhio, as landmarks by a joint map."""

from bridge.bvh.blank_map import blank_map
from bridge.bvh.folder import SUFFIXES, bvh_bytes, iter_motion
from bridge.bvh.joint_map import JointMap, builtin_map, builtin_names
from bridge.bvh.landmarks import DERIVED_VISIBILITY
from bridge.bvh.reading import BvhReport, read_bvh

__all__ = [
    "DERIVED_VISIBILITY",
    "SUFFIXES",
    "BvhReport",
    "JointMap",
    "blank_map",
    "builtin_map",
    "builtin_names",
    "bvh_bytes",
    "iter_motion",
    "read_bvh",
]
