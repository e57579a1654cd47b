"""What arguments and data must be: every check that raises an error of `fastnn.errors`."""
