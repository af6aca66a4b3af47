"""``python -m dul`` runs the source as ``python echoscp.py`` runs the one file."""
from dul.cli import main

if __name__ == "__main__":
    main()
