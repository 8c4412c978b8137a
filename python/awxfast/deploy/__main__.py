"""`python -m awxfast.deploy` prints where the configurations are."""

from awxfast.deploy import FOLDER

if __name__ == "__main__":
    print(FOLDER)
