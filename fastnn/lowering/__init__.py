"""From a description to a program: op table, flat vectors, folded batch normalisation."""
