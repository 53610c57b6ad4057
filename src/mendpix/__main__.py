"""Let `python -m mendpix` do what the command `mendpix` does."""

from mendpix.cli.app import main

if __name__ == "__main__":
    main(prog_name="mendpix")
