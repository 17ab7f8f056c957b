"""Tests of the escrow ledger."""
