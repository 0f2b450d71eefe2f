"""``python -m minibn_cli``."""

from .main import main

if __name__ == "__main__":  # workers under MPI import this file too
    main()
