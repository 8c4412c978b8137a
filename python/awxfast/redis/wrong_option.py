"""What an option of a Redis connection says that can't be obeyed."""


class WrongOption(ValueError):
    """Its text names the option and repeats no value, which may be a secret."""
