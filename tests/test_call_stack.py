"""Deeply nested calls, like those of a page, don't map their stack's memory again and again."""

import resource
import threading

from project.call_stack import with_large_frame

DEPTHS, CALLS = 300, 500


def calls_at_each_depth(depth=DEPTHS):
    for _ in range(CALLS):
        len_of("")
    return calls_at_each_depth(depth - 1) if depth else 0


def len_of(text):
    return text.__len__()


def page_faults(function):
    """Returns how many pages of memory the system had to map for the thread that calls `function`."""
    counted = []

    def count():
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        function()
        counted.append(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    return counted[0]


def test_with_room_no_call_passes_the_end_of_a_piece():
    for _warm in range(2):
        assert page_faults(with_large_frame(calls_at_each_depth)) < CALLS / 5


def test_arguments_result_and_name_stay():
    @with_large_frame
    def together(first, *, second):
        """Says so."""
        return first, second

    assert together(1, second=2) == (1, 2)
    assert (together.__name__, together.__doc__) == ("together", "Says so.")
