"""The four vendors' HTTP APIs, one module each: a call in, an answer out, no I/O."""
