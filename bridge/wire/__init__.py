"""The wire: typed values, the protobuf messages they travel as, and the code that turns one into the other.

`bridge.wire.values` needs numpy only; `bridge.wire.codec` and `bridge.wire.generated` load protobuf, the ``_pb2_grpc``
modules load grpc.
"""
