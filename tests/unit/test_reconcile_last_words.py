"""FailureReason tells what went wrong, also where the container's own words leave it out."""

import pytest

from emulator.reconcile import reasons
from emulator.reconcile.last_words import completed, last_words, never_ran

EMPTY = 'ExecuteUserScriptError:\nExitCode 1\nErrorMessage ""\nCommand "python3 train.py"'
LOGGED = "2026-11-21 01:17:48,327 sagemaker-training-toolkit INFO     Invoking user script"
REPORT = "2026-11-21 01:17:48,348 sagemaker-training-toolkit ERROR    Reporting training FAILURE"


@pytest.mark.parametrize(
    "output, words",
    [
        pytest.param(
            ["Traceback (most recent call last):", "  raise Gone('away')", "Gone: away", ""],
            "Gone: away",
            id="an exception of any name",
        ),
        pytest.param(
            ['  File "train.py", line 1', "    def (", "SyntaxError: invalid syntax"],
            "SyntaxError: invalid syntax",
            id="a syntax error has no traceback",
        ),
        pytest.param(
            ["usage: train.py", "train.py: error: argument --epochs: invalid int value"],
            "train.py: error: argument --epochs: invalid int value",
            id="a refused argument",
        ),
        pytest.param(
            [
                "[1,0]<stdout>:epoch 1",
                "[1,1]<stderr>:Traceback (most recent call last):",
                "[1,1]<stderr>:    [1,1]<stderr>:run_path(sys.argv[0])[1,1]<stderr>:",
                "[1,1]<stderr>:SystemError: [1,1]<stderr>:rank 1",
                "MPI_ABORT was invoked on rank 1 with errorcode 1.",
                "-----",
            ],
            "SystemError: rank 1",
            id="a rank of MPI",
        ),
        pytest.param(["epoch 3, loss 0.5"], "", id="no complaint"),
        pytest.param([], "", id="silence"),
    ],
)
def test_a_toolkits_empty_message_is_filled_from_the_output(output: list[str], words: str) -> None:
    lines = ["an error long before", LOGGED, *output, REPORT, "error: of the toolkit"]
    expected = EMPTY.replace('""', f'"{words}"')
    assert completed(EMPTY, lines) == expected


@pytest.mark.parametrize(
    "output, words",
    [
        (["loading", "no weights here", ""], "no weights here"),
        (
            [
                "Traceback (most recent call last):",
                '  File "handler.py", line 35, in default_model_fn',
                "NotImplementedError: ",
                "Please provide a model_fn implementation.",
                " ",
                "[2026-11-21 01:22:48 +0000] [7] [ERROR] Worker (pid:8) exited with code 3",
                "[2026-11-21 01:22:48 +0000] [7] [ERROR] Reason: Worker failed to boot.",
            ],
            "NotImplementedError: Please provide a model_fn implementation.",
        ),
        (
            [
                "Traceback (most recent call last):",
                '  File "a.py"',
                "KeyError: 1",
                "During handling of the above exception, another exception occurred:",
                "Traceback (most recent call last):",
                '  File "b.py"',
                "ValueError: 2",
            ],
            "ValueError: 2",
        ),
        (
            ["Traceback (most recent call last):", "  call", "E: handled", *"abcdefg"],
            "g",
        ),
        ([], ""),
    ],
)
def test_last_words_are_an_exception_or_the_last_line(output: list[str], words: str) -> None:
    assert last_words(output) == words


@pytest.mark.parametrize("failure", ["", "my own words", EMPTY.replace('""', '"told"')])
def test_any_other_text_stays_as_the_container_wrote_it(failure: str) -> None:
    assert completed(failure, ["Traceback (most recent call last):", "E: x", REPORT]) == failure


@pytest.mark.parametrize(
    "failure",
    [
        "é" * 3000,
        "Framework Error: \nTraceback (most recent call last):\n" + '  File "f.py"\n' * 200,
    ],
)
def test_of_a_long_text_the_first_1024_characters_are_kept(failure: str) -> None:
    reason = reasons.exit_code(failure, 1, out_of_memory=False)
    assert reason == f"AlgorithmError: {failure[:1024]}, exit code: 1"


@pytest.mark.parametrize(
    "code, built_in_algorithm, reason",
    [
        (2, True, "ClientError: no labels, exit code: 2"),
        (1, True, "AlgorithmError: no labels, exit code: 1"),
        (2, False, "AlgorithmError: no labels, exit code: 2"),
    ],
)
def test_an_algorithm_of_amazon_says_whose_fault_it_is(
    code: int, built_in_algorithm: bool, reason: str
) -> None:
    said = reasons.exit_code(
        "no labels", code, out_of_memory=False, built_in_algorithm=built_in_algorithm
    )
    assert said == reason


@pytest.mark.parametrize(
    "output, why",
    [
        (
            ["[FATAL tini (7)] exec train failed: No such file or directory"],
            "exec train failed: No such file or directory",
        ),
        (
            ["ERROR (catatonit:6): failed to exec pid1: No such file or directory"],
            "failed to exec pid1: No such file or directory",
        ),
        (["begun", "[FATAL tini (7)] exec train failed: No such file or directory"], ""),
        (["ERROR: failed to converge: the rate is too high"], ""),
        ([], ""),
    ],
)
def test_an_init_says_why_a_program_could_not_be_run(output: list[str], why: str) -> None:
    assert never_ran(output) == why
