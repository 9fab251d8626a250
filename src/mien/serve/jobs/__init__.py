"""Video jobs: the runner that works them off in turn, and the process that recognises one."""
