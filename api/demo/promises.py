"""What the demo says must be so; when it is not, the demo fails."""


class PromiseBroken(Exception):
    """Something that the demo promises did not hold. The text says which."""


def promise(holds: bool, what: str) -> None:
    """Raises PromiseBroken."""
    if not holds:
        raise PromiseBroken(f"It does not hold that {what}.")
