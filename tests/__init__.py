import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: these tests run engines beside themselves
