"""Tests of PoseBridge; folders mirror ``bridge/``."""
