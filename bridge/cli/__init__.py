"""The command line: ``pose-bridge``."""

import os

# numpy's matrix products are small here: a second thread would spin longer than it computes, on a core that others
# need. Large ones are torch's, which has its own setting. numpy reads this once, when it is first loaded.
for _library in ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_library, "1")
# gRPC writes about every failed handshake of every stranger, past our log and its format.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
