"""Variables stand for options, and one that means nothing is named."""

import argparse

import pytest
from awxfast.environment_variables import describe_ignored_variables, read_environment, variable_of
from awxfast.errors import ConfigurationError
from awxfast.option_parser import OptionParser, OwnOption, non_empty, positive

COUNT = OwnOption("--count", "count", positive, "how many")
NAMES = OwnOption("--the-name", "names", non_empty, "which", many=True)


def read(environ: dict[str, str]) -> dict[str, object]:
    parser = OptionParser(prog="program", argument_default=argparse.SUPPRESS)
    for option in (COUNT, NAMES):
        action = "append" if option.many else "store"
        parser.add_argument(option.name, dest=option.field, type=option.parse, action=action)
    parser.add_argument("--flag", action="store_true")
    return read_environment(parser, environ, ["--count", "--the-name", "--flag"], ["--later"])


class TestEnvironment:
    def test_name_of_the_variable(self) -> None:
        assert variable_of(NAMES.name) == "AWXFAST_THE_NAME"

    def test_value_is_read_as_on_the_command_line(self) -> None:
        assert read({"AWXFAST_COUNT": "7", "AWXFAST_THE_NAME": "a b", "OTHER": "x"}) == {
            "count": 7,
            "names": ["a", "b"],
        }

    def test_empty_one_counts_as_absent(self) -> None:
        assert read({"AWXFAST_COUNT": "", "AWXFAST_LATER": ""}) == {}

    def test_wrong_value_names_the_variable(self) -> None:
        with pytest.raises(ConfigurationError, match=r"AWXFAST_COUNT: .*0"):
            read({"AWXFAST_COUNT": "0"})

    @pytest.mark.parametrize(("text", "read_as"), [("1", {"flag": True}), ("yes", {"flag": True}), ("off", {})])
    def test_option_without_a_value_is_on_or_off(self, text: str, read_as: dict[str, object]) -> None:
        assert read({"AWXFAST_FLAG": text}) == read_as

    def test_anything_else_for_an_option_without_a_value_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="AWXFAST_FLAG: 1 or 0 is needed"):
            read({"AWXFAST_FLAG": "maybe"})

    def test_kubernetes_words_for_a_service_count_as_absent(self) -> None:
        assert read({"AWXFAST_COUNT": "tcp://10.0.0.1:80"}) == {}

    def test_option_that_is_not_built_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="AWXFAST_LATER is set, but --later is not built yet"):
            read({"AWXFAST_LATER": "1"})


class TestIgnoredVariables:
    """A typing error in a variable would pass for a setting."""

    KNOWN = ("AWXFAST_QUEUE_FRAMES", "AWXFAST_AUTH")

    def describe(self, **environ: str) -> str:
        return describe_ignored_variables(environ, self.KNOWN, ["--port"])

    def test_known_empty_and_others_are_not_named(self) -> None:
        assert self.describe(AWXFAST_AUTH="open", AWXFAST_X="", HOME="/", AWX="x") == ""

    def test_the_nearest_name_is_offered_and_no_value_told(self) -> None:
        said = self.describe(AWXFAST_QUEUE_FRAME="hidden", AWXFAST_X="hidden")
        assert said == "AWXFAST_QUEUE_FRAME (did you mean AWXFAST_QUEUE_FRAMES?), AWXFAST_X (there is no such option)"

    def test_option_without_a_variable_is_named(self) -> None:
        assert self.describe(AWXFAST_PORT="1") == "AWXFAST_PORT (--port has no variable)"

    def test_kubernetes_words_for_a_service_are_named(self) -> None:
        said = self.describe(AWXFAST_AUTH="tcp://10.0.0.1:80")
        assert said == "AWXFAST_AUTH (Kubernetes' word for a service of that name)"

    def test_ten_are_enough(self) -> None:
        said = self.describe(**{f"AWXFAST_{number:02}": "1" for number in range(30)})
        assert said.count("AWXFAST_") == 10
        assert said.endswith(", ...")
