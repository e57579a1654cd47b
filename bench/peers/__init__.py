"""fastnn beside other libraries on the same work: `python -m bench.peers`."""
