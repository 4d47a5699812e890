"""`python -m batch_jobs <kind>`: the command of every job container."""

import sys

from batch_jobs.runtime import lifecycle

if __name__ == "__main__":
    sys.exit(lifecycle.main(sys.argv[1:]))
