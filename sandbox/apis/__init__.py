"""The four vendors' HTTP APIs, one module each. Each turns a call into an answer, without I/O."""
