"""The bits of thirty networks, recorded and compared: python -m bench.bits."""
