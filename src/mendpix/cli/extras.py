"""Say which extra to install, in the moment when a verb needs a package that is not there."""

from collections.abc import Generator
from contextlib import contextmanager

from mendpix.errors import MissingExtraError


@contextmanager
def need_train_extra(work: str) -> Generator[None]:
    """Guard imports that need the extra `train`.

    Args:
        work: What the packages are needed for, as the first word of a sentence, such as "Training".

    Raises:
        MissingExtraError: If a package outside mendpix is missing. Our own missing modules stay what they are, a bug.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "mendpix"}:
            raise
        raise MissingExtraError(
            f"{work} needs the package {missing}, which is not installed. Install it with: pip install 'mendpix[train]'"
        ) from error
