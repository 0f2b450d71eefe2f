"""``python -m minibn_cli``."""

from .main import main

main()
