"""PoseBridge: keypoints in, several probability-weighted future poses out, inside the frame budget.

Importing this package is cheap: neither torch nor grpc is loaded until something that needs it is used.
"""

from __future__ import annotations

__version__ = "0.1.0"
