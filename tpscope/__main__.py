"""`python -m tpscope`."""

from tpscope.cli import main

if __name__ == "__main__":
    main()
