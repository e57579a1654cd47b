"""What ranks cost: a step of several beside the same step without adding up."""
