"""A simulated TEE for development. It protects nothing; see the README."""
