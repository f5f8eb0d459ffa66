"""An example of what other packages can bring to CMIF."""
