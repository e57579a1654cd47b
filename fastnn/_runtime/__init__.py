"""The process: backend, threads, versions and optional packages."""
