"""The command line: one module a verb, each with a `Verb` record named VERB; `main` lists them."""
