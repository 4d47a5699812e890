"""One component per capability."""
